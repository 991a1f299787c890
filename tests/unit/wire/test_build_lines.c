/* What a container build prints: the step it is at, the cause of its failure, and the lines as a
 * terminal would leave them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "wire/build_lines.h"

static struct build_lines lines;
static char cause[BUILD_CAUSE_MAX];
static struct buf printed;
static unsigned steps;

static void on_text(void *arg, const uint8_t *data, size_t size)
{
	(void)arg;
	buf_add(&printed, data, size);
}

static void on_step(void *arg)
{
	(void)arg;
	steps++;
}

static const struct build_lines_sink sink = { on_text, on_step, NULL };

static int setup(void **unused)
{
	(void)unused;
	memset(&lines, 0, sizeof(lines));
	buf_clear(&printed);
	steps = 0;
	return 0;
}

static int teardown(void **unused)
{
	(void)unused;
	buf_free(&printed);
	return 0;
}

static void feed(const char *text)
{
	build_lines_feed(&lines, text, strlen(text), &sink);
}

/* In pieces of every size the outcome is the same. */
static void feed_in_pieces(const char *text, size_t piece)
{
	for (size_t at = 0, size = strlen(text); at < size; at += piece)
		build_lines_feed(&lines, text + at, size - at < piece ? size - at : piece, &sink);
	build_lines_end(&lines, &sink);
}

static void test_steps_are_read_from_what_the_builder_prints(void **unused)
{
	static const struct {
		const char *line;
		struct build_lines_step step;
	} table[] = {
		{ "STEP 1/7: FROM debian:12", { 0, 0, 1, 7, "FROM debian:12", false } },
		{ "STEP 3/7: RUN pip install  -r\trequirements.txt",
		  { 0, 0, 3, 7, "RUN pip install -r requirements.txt", false } },
		{ "[2/3] STEP 10/12: COPY --from=build /a /b",
		  { 2, 3, 10, 12, "COPY --from=build /a /b", false } },
		{ "STEP 1/1: RUN echo \"STEP 9/9: x\"",
		  { 0, 0, 1, 1, "RUN echo \"STEP 9/9: x\"", false } },
		/* None of these is one. */
		{ "STEP 0/7: RUN x", { 0 } },
		{ "STEP 8/7: RUN x", { 0 } },
		{ "STEP 1/7 RUN x", { 0 } },
		{ "STEP +1/7: RUN x", { 0 } },
		{ "STEP 1/99999999999999999999: RUN x", { 0 } },
		{ "STEP 1/7: ", { 0 } },
		{ "[3/2] STEP 1/7: RUN x", { 0 } },
		{ "[1/2]STEP 1/7: RUN x", { 0 } },
		{ " STEP 1/7: RUN x", { 0 } },
		{ "COMMIT localhost/x", { 0 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		setup(unused);
		feed(table[i].line);
		assert_int_equal(steps, 0); /* before its end it is no line */
		feed("\n");
		assert_int_equal(steps, table[i].step.n > 0);
		assert_int_equal(lines.step.n, table[i].step.n);
		assert_int_equal(lines.step.of, table[i].step.of);
		assert_int_equal(lines.step.stage, table[i].step.stage);
		assert_int_equal(lines.step.stages, table[i].step.stages);
		assert_string_equal(lines.step.text, table[i].step.text);
		assert_int_equal(printed.size, strlen(table[i].line) + 1);
	}
}

static void test_a_step_that_comes_from_the_cache_is_known_as_such(void **unused)
{
	(void)unused;
	feed("--> Using cache 8f3\n");
	assert_int_equal(steps, 0);
	feed("STEP 2/5: RUN true\n--> Using cache 8f3\n");
	assert_int_equal(steps, 2);
	assert_true(lines.step.cached);
	feed("STEP 3/5: RUN true\n");
	assert_false(lines.step.cached);
}

static void test_the_cause_is_the_line_that_says_most(void **unused)
{
	static const struct {
		const char *output, *cause;
		uint32_t status;
	} table[] = {
		{ "Collecting foo\n"
		  "ERROR: Could not find a version that satisfies the requirement foo\n"
		  "ERROR: No matching distribution found for foo\n"
		  "[notice] A new release of pip is available\n"
		  "Error: building at STEP \"RUN pip install foo\": while running runtime: exit "
		  "status 1\n",
		  "ERROR: No matching distribution found for foo", 1 },
		{ "Reading package lists...\nE: Unable to locate package foo\n",
		  "E: Unable to locate package foo", 0 },
		{ "/bin/sh: 1: foo: not found\n"
		  "Error: building at STEP \"RUN foo\": while running runtime: exit status 127\n",
		  "/bin/sh: 1: foo: not found", 127 },
		{ "npm ERR! code E404\nnpm ERR! 404 Not Found - GET https://r/foo\n"
		  "npm ERR! A complete log of this run can be found in:\n"
		  "npm ERR!     /root/.npm/_logs/x.log\n",
		  "npm ERR! 404 Not Found - GET https://r/foo", 0 },
		{ "cc -c app.c\napp.c:3:5: error: expected ';' before '}' token\n"
		  "    3 |     return 0\n      |     ^\nmake: *** [Makefile:2: app.o] Error 1\n",
		  "app.c:3:5: error: expected ';' before '}' token", 0 },
		{ "Traceback (most recent call last):\n  File \"a.py\", line 1\n"
		  "ModuleNotFoundError: No module named 'x'\n",
		  "ModuleNotFoundError: No module named 'x'", 0 },
		{ "here-it-breaks\n"
		  "Error: building at STEP \"RUN echo exit status 9 && exit 7\": while running "
		  "runtime: exit status 7\n",
		  "here-it-breaks", 7 },
		{ "Error: building at STEP \"COPY nothere /\": checking on sources under \"/c\": "
		  "copier: stat: \"/nothere\": no such file or directory\n",
		  "\"/nothere\": no such file or directory", 0 },
		{ "error building at STEP \"USER x\": unknown user\n", "unknown user", 0 },
		{ "", "", 0 },
		{ "\n\n \n", "", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		setup(unused);
		feed("an error: of an earlier step\nSTEP 2/3: RUN x\n");
		feed(table[i].output);
		build_lines_cause(&lines, cause);
		assert_string_equal(cause, table[i].cause);
		assert_int_equal(lines.status, table[i].status);
	}
}

static void test_the_cause_is_looked_for_in_what_was_printed_last(void **unused)
{
	(void)unused;
	feed("STEP 1/2: RUN x\nerror: of long ago\n");
	for (int i = 0; i < 4000; i++)
		feed("an ordinary line\n");
	build_lines_cause(&lines, cause);
	assert_string_equal(cause, "an ordinary line");
	feed("error: of now\n");
	for (int i = 0; i < 100; i++)
		feed("an ordinary line\n");
	build_lines_cause(&lines, cause);
	assert_string_equal(cause, "error: of now");
}

static void test_a_progress_bar_leaves_its_last_state(void **unused)
{
	static const char bar[] = "a\n(Reading database ... \r(Reading database ... 5%\r"
				  "(Reading database ... 100%\r(Reading database ... 7 files.)\n"
				  "dos\r\nlast\r";

	for (size_t piece = 1; piece < sizeof(bar); piece++) {
		setup(unused);
		feed_in_pieces(bar, piece);
		assert_string_equal(buf_str(&printed), "a\n(Reading database ... 7 files.)\ndos\n"
						       "last\n");
	}
}

static void test_a_long_line_is_passed_on_whole(void **unused)
{
	char big[3 * BUILD_LINE_MAX + 1];

	(void)unused;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	feed(big);
	assert_true(printed.size >= 2 * BUILD_LINE_MAX);
	feed("\nSTEP 1/2: RUN y");
	build_lines_end(&lines, &sink);
	assert_int_equal(printed.size, sizeof(big) + strlen("STEP 1/2: RUN y") + 1);
	assert_int_equal(steps, 1);
	build_lines_end(&lines, &sink); /* nothing is left */
	assert_int_equal(printed.size, sizeof(big) + strlen("STEP 1/2: RUN y") + 1);
}

static void test_the_middle_of_a_long_line_is_no_step(void **unused)
{
	char big[BUILD_LINE_MAX + 1];

	(void)unused;
	memset(big, 'x', BUILD_LINE_MAX);
	big[BUILD_LINE_MAX] = '\0';
	feed(big);
	feed("STEP 1/2: RUN y\n");
	assert_int_equal(steps, 0);
}

static void test_text_is_made_fit_for_people(void **unused)
{
	static const struct {
		const char *from, *to;
	} table[] = {
		{ "", "" },
		{ "  a \t b\n", "a b" },
		{ "\x1b[31mred\x1b[0m", "red" },
		{ "\x1b]0;title\x07x", "x" },
		{ "\x1b]8;;u\x1b\\link", "link" },
		{ "\x1b", "" },
		{ "\x1b[31", "" },
		{ "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
		  "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "\xff\xc3", "??" },
		{ "\xc0\xaf", "??" },      /* overlong */
		{ "\xed\xa0\x80", "???" }, /* a surrogate */
		{ "\xc2\x9b"
		  "31m",
		  "??31m" }, /* a control character of 8 bits */
		{ "12345678901234567890", "1234567890123456..." },
		{ "123456789012345\xc3\xa4"
		  "78901",
		  "123456789012345..." },
		{ "1234567890123456789", "1234567890123456789" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char to[20];

		build_text_clean(to, sizeof(to), table[i].from, strlen(table[i].from));
		assert_string_equal(to, table[i].to);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_steps_are_read_from_what_the_builder_prints),
		TEST(test_a_step_that_comes_from_the_cache_is_known_as_such),
		TEST(test_the_cause_is_the_line_that_says_most),
		TEST(test_the_cause_is_looked_for_in_what_was_printed_last),
		TEST(test_a_progress_bar_leaves_its_last_state),
		TEST(test_a_long_line_is_passed_on_whole),
		TEST(test_the_middle_of_a_long_line_is_no_step),
		TEST(test_text_is_made_fit_for_people),
	};

	return cmocka_run_group_tests_name("wire/build_lines", tests, NULL, NULL);
}
