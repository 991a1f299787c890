/* What the filters of the three kinds of thread forbid: each in a process of its own, which ends.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/jail.h"

static int confine_loop(void)
{
	struct err e;

	return jail_loop(&e);
}

static int (*const filters[])(void) = { confine_loop, jail_vcpu, jail_disk };

static void open_a_file(void)
{
	syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY);
}

static void make_a_socket(void)
{
	syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static void make_a_process(void)
{
	syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void run_a_program(void)
{
	syscall(SYS_execve, "/bin/true", NULL, NULL);
}

static void map_anywhere(void)
{
	syscall(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void map_code(void)
{
	static uint8_t page[4096] __attribute__((aligned(4096)));

	syscall(SYS_mmap, page, sizeof(page), PROT_READ | PROT_EXEC,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void map_code_where_nothing_is(void)
{
	syscall(SYS_mmap, 1UL << 45, 4096, PROT_READ | PROT_EXEC,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

static const struct {
	const char *call;
	void (*make)(void);
} rows[] = { { "openat", open_a_file },
	     { "socket", make_a_socket },
	     { "clone", make_a_process },
	     { "execve", run_a_program },
	     { "mmap", map_anywhere },
	     { "mmap", map_code },
	     { "mmap", map_code_where_nothing_is } };

/* Its exit status, and what it said. */
static int try(int (*filter)(void), void (*make)(void), char *said, size_t size)
{
	int pipes[2], status;
	size_t length = 0;
	struct err e;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		dup2(pipes[1], STDERR_FILENO);
		if (jail_prepare(&e) || filter())
			_exit(1);
		if (make)
			make();
		_exit(0);
	}
	close(pipes[1]);
	while ((n = read(pipes[0], said + length, size - 1 - length)) > 0)
		length += (size_t)n;
	said[length] = '\0';
	close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void a_call_that_is_not_in_a_threads_list_ends_the_process_and_is_named(void **state)
{
	char said[256], end[64];

	(void)state;
	for (size_t f = 0; f < ARRAY_SIZE(filters); f++) {
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			assert_int_equal(try(filters[f], rows[i].make, said, sizeof(said)),
					 128 + SIGSYS);
			snprintf(end, sizeof(end), "forbidden system call %s\n", rows[i].call);
			assert_non_null(strstr(said, end));
		}
	}
}

static void a_thread_that_keeps_to_its_list_goes_on(void **state)
{
	char said[256];

	(void)state;
	for (size_t f = 0; f < ARRAY_SIZE(filters); f++)
		assert_int_equal(try(filters[f], NULL, said, sizeof(said)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_call_that_is_not_in_a_threads_list_ends_the_process_and_is_named),
		cmocka_unit_test(a_thread_that_keeps_to_its_list_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
