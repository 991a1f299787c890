/* How far a drain is, for people. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "cli/progress.h"

static char *text;
static size_t size;

static void begin(struct progress *p, int columns)
{
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	progress_begin(p, to, columns);
}

static void show(struct progress *p, const char *answer)
{
	json_t *drain = json_loads(answer, 0, NULL);

	assert_non_null(drain);
	progress_show(p, drain);
	json_decref(drain);
}

/* What was printed since the last call. */
static const char *printed(struct progress *p)
{
	static char copy[4096];

	fflush(p->to);
	snprintf(copy, sizeof(copy), "%s", text);
	rewind(p->to);
	memset(text, 0, size);
	return copy;
}

static unsigned end(struct progress *p, bool clean)
{
	struct conf conf;
	FILE *to = p->to;
	unsigned n;

	conf_defaults(&conf, "t1");
	n = progress_end(p, clean, &conf, "the log");
	fclose(to);
	free(text);
	return n;
}

#define SAVING(written)                                                                        \
	"{\"draining\":true,\"suspended\":1,\"failed\":0,\"remaining\":2,\"items\":["          \
	"{\"microvmId\":\"microvm-a99f1c2d-0\",\"state\":\"SUSPENDING\",\"phase\":\"saving\"," \
	"\"bytesWritten\":" written ",\"bytesTotal\":536870912},"                              \
	"{\"microvmId\":\"microvm-b17\",\"state\":\"RUNNING\",\"phase\":\"waiting\"}]}"

#define ONE_FAILED                                                                    \
	"{\"draining\":true,\"suspended\":2,\"failed\":1,\"remaining\":0,\"items\":[" \
	"{\"microvmId\":\"microvm-b17\",\"state\":\"RUNNING\",\"phase\":\"waiting\"," \
	"\"error\":\"the disk is full\"}]}"

#define TWO_FAILED                                                                              \
	"{\"draining\":true,\"suspended\":0,\"failed\":2,\"remaining\":0,\"items\":["           \
	"{\"microvmId\":\"microvm-a99\",\"state\":\"RUNNING\",\"error\":\"the disk is full\"}," \
	"{\"microvmId\":\"microvm-b17\",\"state\":\"RUNNING\",\"error\":\"the disk is full\"}]}"

#define ALL_DONE "{\"draining\":true,\"suspended\":3,\"failed\":0,\"remaining\":0,\"items\":[]}"

static void test_a_terminal_gets_one_line_that_is_rewritten(void **unused)
{
	struct progress p;

	(void)unused;
	begin(&p, 100);
	show(&p, SAVING("125829120"));
	assert_string_equal(printed(&p), "\rsuspended 1 of 3; a99f1c2d saving, 120 of 512 MiB; b17 "
					 "waiting for its turn");
	show(&p, ALL_DONE);
	assert_non_null(strstr(printed(&p), "\rsuspended 3 of 3        "));
	assert_int_equal(end(&p, true), 0);
}

static void test_the_line_is_no_wider_than_the_terminal(void **unused)
{
	struct progress p;

	(void)unused;
	begin(&p, 40);
	show(&p, SAVING("125829120"));
	assert_int_equal(strlen(printed(&p)), 1 + 39);
	assert_int_equal(end(&p, true), 0);
}

static void test_elsewhere_each_change_gets_a_line_and_nothing_else_does(void **unused)
{
	struct progress p;

	(void)unused;
	begin(&p, 0);
	show(&p, SAVING("0"));
	assert_string_equal(printed(&p), "microvm-a99f1c2d-0: saving, 0 of 512 MiB\n"
					 "microvm-b17: waiting for its turn\n");
	show(&p, SAVING("1048576"));
	assert_string_equal(printed(&p), "");
	show(&p, SAVING("125829120"));
	assert_string_equal(printed(&p), "microvm-a99f1c2d-0: saving, 120 of 512 MiB\n");
	show(&p, ALL_DONE);
	assert_string_equal(printed(&p), "microvm-a99f1c2d-0: suspended\nmicrovm-b17: suspended\n");
	assert_int_equal(end(&p, true), 0);
}

static void test_a_drain_that_has_not_begun_is_no_progress(void **unused)
{
	struct progress p;

	(void)unused;
	begin(&p, 0);
	show(&p, "{\"draining\":false,\"suspended\":0,\"failed\":0,\"remaining\":1,\"items\":[]}");
	assert_string_equal(printed(&p), "");
	assert_null(p.last);
	assert_int_equal(end(&p, true), 0);
}

/* What the end prints to stderr. */
static char *complaint(struct progress *p, bool clean, unsigned *n)
{
	int pipes[2], before = dup(STDERR_FILENO);
	static char said[4096];
	ssize_t got;

	assert_int_equal(pipe(pipes), 0);
	dup2(pipes[1], STDERR_FILENO);
	*n = end(p, clean);
	fflush(stderr);
	dup2(before, STDERR_FILENO);
	close(before);
	close(pipes[1]);
	got = read(pipes[0], said, sizeof(said) - 1);
	close(pipes[0]);
	said[got > 0 ? got : 0] = '\0';
	return said;
}

static void test_what_failed_is_named_with_the_reason_and_what_to_do(void **unused)
{
	struct progress p;
	const char *said;
	unsigned n;

	(void)unused;
	begin(&p, 0);
	show(&p, ONE_FAILED);
	assert_string_equal(printed(&p), ""); /* the end says it, once */
	show(&p, ALL_DONE);                   /* it is remembered */
	assert_string_equal(printed(&p), "");
	said = complaint(&p, true, &n);
	assert_int_equal(n, 1);
	assert_non_null(strstr(said, "microvm-b17 is not suspended: the disk is full"));
	assert_non_null(strstr(said, "doze --instance t1 up'"));
	assert_non_null(strstr(said, "'doze --instance t1 suspend microvm-b17'"));
	assert_non_null(strstr(said, "'doze --instance t1 rm microvm-b17'"));
}

static unsigned count(const char *in, const char *what)
{
	unsigned n = 0;

	for (const char *at = in; (at = strstr(at, what)); at++)
		n++;
	return n;
}

static void test_what_to_do_with_several_is_said_once(void **unused)
{
	struct progress p;
	const char *said;
	unsigned n;

	(void)unused;
	for (int columns = 0; columns <= 100; columns += 100) {
		begin(&p, columns);
		show(&p, TWO_FAILED);
		printed(&p);
		said = complaint(&p, true, &n);
		assert_int_equal(n, 2);
		assert_int_equal(count(said, "the disk is full"), 2);
		assert_int_equal(count(said, " up'"), 1);
		assert_int_equal(count(said, " suspend microvm-a99 microvm-b17'"), 1);
		assert_int_equal(count(said, " rm microvm-a99 microvm-b17'"), 1);
	}
}

static void test_a_daemon_that_breaks_off_leaves_the_names_of_what_was_under_way(void **unused)
{
	struct progress p;
	const char *said;
	unsigned n;

	(void)unused;
	begin(&p, 0);
	show(&p, SAVING("125829120"));
	said = complaint(&p, false, &n);
	assert_int_equal(n, 2);
	assert_non_null(strstr(said,
			       "microvm-a99f1c2d-0 is not suspended: the daemon ended while it "
			       "was saving, 120 of 512 MiB; the log says why"));
	assert_non_null(strstr(said, "microvm-b17"));
}

static void test_failures_without_a_name_are_not_kept_quiet(void **unused)
{
	struct progress p;
	const char *said;
	unsigned n;

	(void)unused;
	begin(&p, 0);
	show(&p, "{\"draining\":true,\"suspended\":0,\"failed\":2,\"remaining\":0,\"items\":[]}");
	said = complaint(&p, true, &n);
	assert_int_equal(n, 2);
	assert_non_null(strstr(said, "the log says which"));
	begin(&p, 0);
	said = complaint(&p, false, &n);
	assert_int_equal(n, 1);
	assert_non_null(strstr(said, "not every microVM is suspended"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_terminal_gets_one_line_that_is_rewritten),
		cmocka_unit_test(test_the_line_is_no_wider_than_the_terminal),
		cmocka_unit_test(test_elsewhere_each_change_gets_a_line_and_nothing_else_does),
		cmocka_unit_test(test_a_drain_that_has_not_begun_is_no_progress),
		cmocka_unit_test(test_what_failed_is_named_with_the_reason_and_what_to_do),
		cmocka_unit_test(test_what_to_do_with_several_is_said_once),
		cmocka_unit_test(
			test_a_daemon_that_breaks_off_leaves_the_names_of_what_was_under_way),
		cmocka_unit_test(test_failures_without_a_name_are_not_kept_quiet),
	};

	return cmocka_run_group_tests_name("cli/progress", tests, NULL, NULL);
}
