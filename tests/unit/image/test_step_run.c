/* A child of a build step that prints nothing is warned of, and ended. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "image/step.h"

static char place[64];

static void put(const char *name, const char *data)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", place, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, strlen(data)), strlen(data));
	close(fd);
}

/* A /proc with one process, which does nothing. */
static int setup(void **unused)
{
	char dir[128];

	(void)unused;
	snprintf(place, sizeof(place), "/tmp/doze-test-proc-XXXXXX");
	assert_non_null(mkdtemp(place));
	snprintf(dir, sizeof(dir), "%s/42", place);
	assert_int_equal(mkdir(dir, 0700), 0);
	put("42/stat", "42 (make) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 7 3 20 0 1 0 100 1 1 1 1");
	put("42/cmdline", "make all");
	return 0;
}

static int teardown(void **unused)
{
	(void)unused;
	return io_remove_tree(AT_FDCWD, place);
}

static void test_a_child_that_is_silent_for_the_limit_is_ended_with_a_reason(void **unused)
{
	int pipes[2], out = dup(STDOUT_FILENO), rc;
	char said[4096];
	struct step_argv a = { .n = 0 };
	struct err e = { 0 };
	bool full;
	ssize_t n;

	(void)unused;
	step_arg(&a, "sh");
	step_arg(&a, "-c");
	step_arg(&a, "printf 'Proceed? '; exec sleep 600");
	step_silence_limit(400, place);
	assert_null(step_silence_reason());
	fflush(stdout);
	assert_int_equal(pipe(pipes), 0);
	dup2(pipes[1], STDOUT_FILENO);
	rc = step_run(&a, NULL, &full, &e);
	dup2(out, STDOUT_FILENO);
	close(out);
	close(pipes[1]);
	n = read(pipes[0], said, sizeof(said) - 1);
	close(pipes[0]);
	said[n > 0 ? n : 0] = '\0';
	assert_int_equal(rc, -1);
	assert_ptr_equal(strstr(said, "Proceed? \ndoze: warning: nothing has been printed for "),
			 said);
	assert_non_null(strstr(said, "  make all\n"));
	assert_non_null(strstr(step_silence_reason(), "[build] silence_timeout_ms"));
	assert_non_null(strstr(step_silence_reason(), "it ran make all (pid 42, "));
	assert_string_equal(e.text, step_silence_reason());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_child_that_is_silent_for_the_limit_is_ended_with_a_reason, setup,
			teardown),
	};

	alarm(60);
	return cmocka_run_group_tests_name("image/step_run", tests, NULL, NULL);
}
