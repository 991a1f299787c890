/* Filter patterns of CloudWatch Logs, as its documentation explains them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "control/logs/pattern.h"

static bool matches(const char *pattern, const char *line)
{
	struct log_pattern p;
	struct err e;
	bool yes;

	assert_int_equal(log_pattern_read(&p, pattern, &e), 0);
	yes = log_pattern_matches(&p, line, strlen(line));
	log_pattern_free(&p);
	return yes;
}

static const struct {
	const char *pattern, *line;
	bool matches;
} words[] = {
	{ "", "anything", true },
	{ "  ", "", true },
	{ "ERROR", "[ERROR] 5 files", true },
	{ "ERROR", "[error] 5 files", false },
	{ "ERROR files", "[ERROR] 5 files", true },
	{ "ERROR memory", "[ERROR] 5 files", false },
	{ "\"5 files\"", "[ERROR] 5 files", true },
	{ "\"files 5\"", "[ERROR] 5 files", false },
	{ "ERROR -files", "[ERROR] 5 files", false },
	{ "ERROR -\"6 files\"", "[ERROR] 5 files", true },
	{ "-ERROR", "[WARN] 5 files", true },
	{ "?ERROR ?WARN", "[WARN] 5 files", true },
	{ "?ERROR ?WARN", "[INFO] 5 files", false },
	{ "?WARN files", "[INFO] 5 files", true },
	{ "\"a \\\"b\\\"\"", "a \"b\" c", true },
	{ "100%", "100%", true },
};

static void test_words_match_as_documented(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (matches(words[i].pattern, words[i].line) != words[i].matches)
			fail_msg("%s / %s", words[i].pattern, words[i].line);
}

#define LINE                                                                                      \
	"{\"level\":\"error\",\"code\":500,\"ok\":true,\"none\":null,\"a\":{\"b\":[{\"c\":\"x1\"" \
	"}]},\"n\":\"7\"}"

static const struct {
	const char *pattern;
	bool matches;
} jsons[] = {
	{ "{ $.level = \"error\" }", true },
	{ "{$.level=error}", true },
	{ "{ $.level = \"err*\" }", true },
	{ "{ $.level = \"*rr*\" }", true },
	{ "{ $.level = \"*rrx\" }", false },
	{ "{ $.level != \"info\" }", true },
	{ "{ $.gone != \"info\" }", false },
	{ "{ $.code = 500 }", true },
	{ "{ $.code >= 500 }", true },
	{ "{ $.code > 500 }", false },
	{ "{ $.code < 1e3 }", true },
	{ "{ $.code <= 499 }", false },
	{ "{ $.n > 5 }", false },
	{ "{ $.a.b[0].c = \"x*\" }", true },
	{ "{ $.a.b[1].c = \"x*\" }", false },
	{ "{ $.ok IS TRUE }", true },
	{ "{ $.ok is false }", false },
	{ "{ $.none IS NULL }", true },
	{ "{ $.gone NOT EXISTS }", true },
	{ "{ $.none EXISTS }", true },
	{ "{ $.code = 1 || $.level = error && $.ok IS TRUE }", true },
	{ "{ ($.code = 1 || $.level = error) && $.ok IS FALSE }", false },
};

static void test_json_matches_as_documented(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(jsons); i++)
		if (matches(jsons[i].pattern, LINE) != jsons[i].matches)
			fail_msg("%s", jsons[i].pattern);
	assert_false(matches("{ $.a EXISTS }", "no json"));
	assert_false(matches("{ $.a EXISTS }", "[1]"));
	assert_false(matches("{ $.a EXISTS }", "{\"a\":"));
}

static void test_a_wrong_pattern_says_where(void **unused)
{
	static const char *const wrong[] = {
		"\"open",
		"[ip, user]",
		"%a.*%",
		"-",
		"{ $.a }",
		"{ a = 1 }",
		"{ $.a = }",
		"{ $.a = 1",
		"{ ($.a = 1 }",
		"{ $.a = 1 } x",
		"{ $.a > \"b\" }",
		"{ $.a = \"b }",
		"{ $.a[x] = 1 }",
		"{ $ = 1 }",
		"{}",
		"{ $.a IS }",
		"{ $.a = 1 && }",
		"{ $.a[9999999] = 1 }",
	};
	struct log_pattern p;
	struct err e;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		if (!log_pattern_read(&p, wrong[i], &e))
			fail_msg("%s", wrong[i]);
		assert_int_equal(e.kind, ERR_INVALID);
		assert_non_null(strstr(e.text, "Invalid filter pattern: "));
	}
}

static void test_parentheses_have_a_depth(void **unused)
{
	char deep[PATTERN_SIZE + 1];
	struct log_pattern p;
	struct err e;

	(void)unused;
	memset(deep, '(', sizeof(deep));
	deep[0] = '{';
	deep[sizeof(deep) - 1] = '\0';
	assert_int_equal(log_pattern_read(&p, deep, &e), -1);
	assert_non_null(strstr(e.text, "too many parentheses"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_match_as_documented),
		cmocka_unit_test(test_json_matches_as_documented),
		cmocka_unit_test(test_a_wrong_pattern_says_where),
		cmocka_unit_test(test_parentheses_have_a_depth),
	};

	return cmocka_run_group_tests_name("log pattern", tests, NULL, NULL);
}
