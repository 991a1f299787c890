/* A build as people and programs see it go on. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/build_show.h"

static char *text;
static size_t size;
static struct build_show show;

static void begin(int columns)
{
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	build_show_begin(&show, to, columns);
}

static void end(void)
{
	fclose(show.to);
	free(text);
	build_show_free(&show);
}

/* What was printed since the last call. */
static const char *printed(void)
{
	static char copy[8192];

	fflush(show.to);
	snprintf(copy, sizeof(copy), "%s", text);
	rewind(show.to);
	memset(text, 0, size);
	return copy;
}

static void steps(const char *state, int count, const char *list)
{
	json_error_t why;
	json_t *all = json_loads(list, 0, &why);

	assert_non_null(all);
	all = json_pack("{s:s,s:i,s:o}", "buildState", state, "stepCount", count, "steps", all);
	build_show_steps(&show, all);
	json_decref(all);
}

static void log_more(const char *more)
{
	build_show_log(&show, more, strlen(more));
}

#define STEP(part, what, detail, seconds, ended)                                               \
	"{\"step\":\"build\",\"n\":4,\"of\":14,\"part\":" part ",\"parts\":7,\"text\":\"" what \
	"\",\"detail\":" detail ",\"seconds\":" seconds ",\"ended\":" ended "}"
#define READY(detail, seconds)                                                                     \
	"[{\"step\":\"ready\",\"n\":9,\"of\":14,\"part\":null,\"text\":\"start the application\"," \
	"\"detail\":" detail ",\"seconds\":" seconds ",\"ended\":false}]"

static void test_without_a_terminal_a_step_gets_its_line_at_its_end(void **unused)
{
	(void)unused;
	begin(0);
	steps("IN_PROGRESS", 1, "[" STEP("3", "RUN make", "null", "1.25", "false") "]");
	assert_string_equal(printed(), "");
	steps("IN_PROGRESS", 2,
	      "[" STEP("3", "RUN make", "null", "12.44",
		       "true") "," STEP("4", "COPY . .", "\"cached\"", "0", "true") "]");
	assert_string_equal(
		printed(), "   12.4 s  STEP 3/7 RUN make\n    0.0 s  STEP 4/7 COPY . . (cached)\n");
	assert_int_equal(show.ended, 2);
	steps("IN_PROGRESS", 3, READY("\"waits for port 80\"", "3"));
	steps("PENDING", 3, "[]");
	assert_string_equal(printed(), "");
	end();
}

static void test_a_terminal_sees_the_step_under_way_move(void **unused)
{
	(void)unused;
	begin(60);
	steps("PENDING", 0, "[]");
	assert_string_equal(printed(), "\r            waiting for its turn");
	steps("IN_PROGRESS", 1, "[" STEP("3", "RUN make", "null", "1.2", "false") "]");
	assert_string_equal(printed(), "\r      1 s  STEP 3/7 RUN make    ");
	steps("IN_PROGRESS", 1, "[" STEP("3", "RUN make", "null", "2.2", "true") "]");
	assert_string_equal(printed(), "\r                            \r"
				       "    2.2 s  STEP 3/7 RUN make\n");
	steps("IN_PROGRESS", 2, READY("\"waits for port 80\"", "7"));
	assert_string_equal(printed(), "\r      7 s  start the application  waits for port 80");
	end();
}

static void test_the_moving_line_is_no_wider_than_the_terminal(void **unused)
{
	(void)unused;
	begin(20);
	steps("IN_PROGRESS", 1,
	      "[" STEP("3", "RUN \xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f", "null", "1", "false") "]");
	assert_string_equal(printed(), "\r      1 s  STEP 3/7");
	end();
	begin(26);
	steps("IN_PROGRESS", 1,
	      "[" STEP("3", "RUN \xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f", "null", "1", "false") "]");
	assert_string_equal(printed(), "\r      1 s  STEP 3/7 RUN \xc3\xa4");
	end();
}

static void test_a_stage_of_the_dockerfile_is_named_where_there_are_several(void **unused)
{
	(void)unused;
	begin(0);
	steps("IN_PROGRESS", 1,
	      "[{\"part\":1,\"parts\":2,\"stage\":2,\"stages\":3,\"text\":\"FROM a\",\"seconds\":1,"
	      "\"ended\":true}]");
	assert_string_equal(printed(), "    1.0 s  [2/3] STEP 1/2 FROM a\n");
	end();
}

static void test_a_daemon_that_was_restarted_counts_anew(void **unused)
{
	(void)unused;
	begin(0);
	show.ended = 5;
	steps("IN_PROGRESS", 1, "[]");
	assert_int_equal(show.ended, 0);
	steps("IN_PROGRESS", 1, "[" STEP("3", "RUN make", "null", "1", "true") "]");
	assert_string_equal(printed(), "    1.0 s  STEP 3/7 RUN make\n");
	end();
}

static void test_of_the_log_warnings_and_their_processes_are_shown(void **unused)
{
	(void)unused;
	begin(0);
	log_more("STEP 1/2: RUN x\ndoze: warn");
	log_more("ing: nothing has been printed\ndoze:        7 sleep 9\nother\ndoze:    1.0 "
		 "fetch\n");
	assert_string_equal(printed(),
			    "doze: warning: nothing has been printed\ndoze:        7 sleep 9\n");
	end();
}

static void test_verbose_shows_all_of_the_log(void **unused)
{
	(void)unused;
	begin(0);
	show.verbose = true;
	log_more("one\n\ntwo");
	assert_string_equal(printed(), "one\n\n");
	build_show_log_end(&show);
	build_show_log_end(&show);
	assert_string_equal(printed(), "two\n");
	end();
}

static void test_a_failure_shows_the_last_lines_of_its_step(void **unused)
{
	json_t *step = json_loads(STEP("2", "RUN make", "null", "1", "true"), 0, NULL);
	autobuf struct buf log = { 0 };
	const char *said;

	(void)unused;
	for (int i = 1; i <= 100; i++)
		buf_addf(&log, "line %d\n", i);
	begin(0);
	build_show_failure(&show, step, buf_str(&log));
	said = printed();
	assert_ptr_equal(strstr(said, "The last lines of 'STEP 2/7 RUN make':\nline 61\n"), said);
	assert_non_null(strstr(said, "line 100\n"));
	assert_null(strstr(said, "line 60\n"));
	build_show_failure(&show, step, "alone\nwithout a line feed");
	assert_string_equal(printed(),
			    "The output of 'STEP 2/7 RUN make':\nalone\nwithout a line feed\n");
	build_show_failure(&show, step, "");
	assert_string_equal(printed(), "");
	show.verbose = true; /* it has shown them */
	build_show_failure(&show, step, "alone\n");
	assert_string_equal(printed(), "");
	json_decref(step);
	end();
}

/* Each line is an object; returns the number of those of one name. */
static unsigned events(const char *said, const char *name)
{
	unsigned n = 0;

	while (*said) {
		json_t *event = json_loadb(said, strcspn(said, "\n"), 0, NULL);

		assert_non_null(event);
		n += !strcmp(json_string_value(json_object_get(event, "event")), name);
		json_decref(event);
		said += strcspn(said, "\n") + 1;
	}
	return n;
}

static void test_json_has_an_object_for_each_event(void **unused)
{
	json_t *step = json_loads(STEP("2", "RUN make", "null", "1", "true"), 0, NULL);
	const char *said;

	(void)unused;
	begin(0);
	show.json = true;
	steps("IN_PROGRESS", 1, "[" STEP("3", "RUN make", "null", "1", "false") "]");
	steps("IN_PROGRESS", 1, "[" STEP("3", "RUN make", "null", "2", "false") "]"); /* no news */
	steps("IN_PROGRESS", 1, "[" STEP("3", "RUN make", "null", "3", "true") "]");
	steps("IN_PROGRESS", 2, READY("null", "1"));
	steps("IN_PROGRESS", 2, READY("\"waits for port 80\"", "2"));
	steps("IN_PROGRESS", 2, READY("\"waits for port 80\"", "3")); /* no news */
	assert_int_equal(events(printed(), "step"), 4);
	log_more("doze: warning: w\nother\n");
	assert_string_equal(printed(), "{\"event\":\"warning\",\"text\":\"doze: warning: w\"}\n");
	show.verbose = true;
	log_more("other \xff\nother\n");
	said = printed();
	assert_int_equal(events(said, "log"), 2);
	build_show_failure(&show, step, "a\nb\n");
	said = printed();
	assert_int_equal(events(said, "failure"), 1);
	assert_non_null(strstr(said, "\"lines\":[\"a\",\"b\"]"));
	json_decref(step);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_terminal_a_step_gets_its_line_at_its_end),
		cmocka_unit_test(test_a_terminal_sees_the_step_under_way_move),
		cmocka_unit_test(test_the_moving_line_is_no_wider_than_the_terminal),
		cmocka_unit_test(test_a_stage_of_the_dockerfile_is_named_where_there_are_several),
		cmocka_unit_test(test_a_daemon_that_was_restarted_counts_anew),
		cmocka_unit_test(test_of_the_log_warnings_and_their_processes_are_shown),
		cmocka_unit_test(test_verbose_shows_all_of_the_log),
		cmocka_unit_test(test_a_failure_shows_the_last_lines_of_its_step),
		cmocka_unit_test(test_json_has_an_object_for_each_event),
	};

	return cmocka_run_group_tests_name("cli/build_show", tests, NULL, NULL);
}
