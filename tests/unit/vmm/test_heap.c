/* doze-vmm's heap.  It is this program's as well: its functions take the place of the C library's.
 */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <malloc.h>

#include "base/base.h"

#define LARGEST ((1UL << 26) - 16)

/* Volatile, so that the compiler does not take what it knows of malloc for granted. */
static size_t volatile no_size = SIZE_MAX / 2 + 1;

static void test_blocks_are_aligned_apart_and_used_again(void **unused)
{
	void *blocks[64];
	void *first;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		blocks[i] = malloc(i * 37);
		assert_non_null(blocks[i]);
		assert_int_equal((uintptr_t)blocks[i] % 16, 0);
		assert_true(malloc_usable_size(blocks[i]) >= i * 37);
		memset(blocks[i], (int)i, malloc_usable_size(blocks[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		uint8_t *bytes = blocks[i];

		assert_int_equal(bytes[0], i);
		assert_int_equal(bytes[malloc_usable_size(bytes) - 1], i);
		free(bytes);
	}
	first = malloc(5000);
	free(first);
	assert_ptr_equal(malloc(6000), first); /* of the same class */
	assert_int_equal(malloc_usable_size(NULL), 0);
}

static void test_a_block_grows_with_its_bytes_and_new_ones_are_zero(void **unused)
{
	char *p = realloc(NULL, 20), *q;

	(void)unused;
	assert_non_null(p);
	strcpy(p, "it stays as it was");
	p = realloc(p, 100000);
	assert_non_null(p);
	assert_string_equal(p, "it stays as it was");
	p = reallocarray(p, 1000, 1000);
	assert_non_null(p);
	assert_string_equal(p, "it stays as it was");
	free(p);
	q = calloc(1000, 1000);
	assert_ptr_equal(q, p);
	for (size_t i = 0; i < 1000000; i++)
		assert_int_equal(q[i], 0);
	free(q);
}

static void test_what_does_not_fit_is_refused(void **unused)
{
	void *p = malloc(1), *q = malloc(LARGEST);

	(void)unused;
	assert_non_null(q);
	free(q);
	assert_null(malloc(LARGEST + no_size));
	assert_null(malloc(LARGEST + no_size / no_size));
	assert_null(calloc(no_size, 2));
	assert_null(realloc(p, no_size));
	assert_null(reallocarray(NULL, no_size, 2));
	free(p);
}

static void test_small_alignments_are_served(void **unused)
{
	void *p = NULL;

	(void)unused;
	assert_int_equal(posix_memalign(&p, 16, 100), 0);
	assert_int_equal((uintptr_t)p % 16, 0);
	free(p);
	p = aligned_alloc(8, 64);
	assert_non_null(p);
	free(p);
	p = memalign(16, 64);
	assert_non_null(p);
	free(p);
	assert_int_equal(posix_memalign(&p, 16, no_size), ENOMEM);
}

static void call_aligned_alloc(void)
{
	(void)!aligned_alloc(64, 64);
}

static void call_memalign(void)
{
	(void)!memalign(4096, 64);
}

static void call_posix_memalign(void)
{
	void *p;

	(void)!posix_memalign(&p, 32, 64);
}

static void call_valloc(void)
{
	(void)!valloc(64);
}

static void call_pvalloc(void)
{
	(void)!pvalloc(64);
}

static char foreign[64] __attribute__((aligned(16)));
static void *volatile foreign_at = foreign + 16;

static void free_a_foreign_block(void)
{
	free(foreign_at);
}

static void grow_a_foreign_block(void)
{
	(void)!realloc(foreign_at, 100);
}

static void look_at_a_foreign_block(void)
{
	(void)!malloc_usable_size(foreign_at);
}

/* What a child that calls @call says before it aborts. */
static void says(void (*call)(void), char *text, size_t room)
{
	int pipes[2], status;
	size_t size = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (!pid) {
		dup2(pipes[1], STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		call();
		_exit(0);
	}
	close(pipes[1]);
	for (; (n = read(pipes[0], text + size, room - 1 - size)) > 0;)
		size += (size_t)n;
	text[size] = '\0';
	close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void test_what_is_not_served_ends_the_process_with_its_name(void **unused)
{
	static const struct {
		void (*call)(void);
		const char *name;
	} cases[] = {
		{ call_aligned_alloc, "aligned_alloc" },
		{ call_memalign, "memalign" },
		{ call_posix_memalign, "posix_memalign" },
		{ call_valloc, "valloc" },
		{ call_pvalloc, "pvalloc" },
		{ free_a_foreign_block, "a block that is not the heap's" },
		{ grow_a_foreign_block, "a block that is not the heap's" },
		{ look_at_a_foreign_block, "a block that is not the heap's" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[200];

		says(cases[i].call, text, sizeof(text));
		if (!strstr(text, cases[i].name))
			fail_msg("%s: '%s'", cases[i].name, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_are_aligned_apart_and_used_again),
		cmocka_unit_test(test_a_block_grows_with_its_bytes_and_new_ones_are_zero),
		cmocka_unit_test(test_what_does_not_fit_is_refused),
		cmocka_unit_test(test_small_alignments_are_served),
		cmocka_unit_test(test_what_is_not_served_ends_the_process_with_its_name),
	};

	return cmocka_run_group_tests_name("vmm/heap", tests, NULL, NULL);
}
