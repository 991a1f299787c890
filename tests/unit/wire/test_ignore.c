/* .dockerignore: which paths stay out of a build. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "wire/ignore.h"

static void test_the_last_rule_that_matches_decides(void **unused)
{
	static const struct {
		const char *rules, *out, *in; /* paths, separated by blanks */
	} cases[] = {
		{ "", "", "a a/b .git" },
		{ "*.o", "x.o .o", "d/x.o x.oo x.c" },
		{ "**/*.o", "x.o d/x.o d/e/x.o", "x.c" },
		{ "node_modules", "node_modules node_modules/a/b", "d/node_modules node_modules2" },
		{ "**/node_modules", "node_modules/x d/node_modules/x", "node_modules.js" },
		{ "*\n!src\n!Dockerfile", "a b/c .env", "src src/a/b Dockerfile" },
		{ "*.md\n!README*.md\nREADME-secret.md", "x.md README-secret.md", "README-x.md" },
		{ "*.md\nREADME-secret.md\n!README*.md", "x.md", "README-secret.md" },
		{ "a/*/c", "a/b/c a/b/c/d", "a/c a/b/b/c" },
		{ "a/**/c", "a/c a/b/c a/b/b/c", "b/c a/cc" },
		{ "a/**", "a/b a/b/c", "b ab" },
		{ "**", "a b/c", "" },
		{ "temp?", "tempa temp1/x", "temp tempab d/tempa" },
		{ "[a-c]x\n[^a-c]y", "ax dy", "dx ay" },
		{ "/a/", "a a/b", "b/a" },
		{ "./a//b/../c", "a/c", "a/b" },
		{ "# a\n#b\n \t\n  c  ", "c", "a b #b" },
		{ "\\#x\na\\*b", "#x a*b", "x aab" },
		{ "! \n!\n..\n.\n/", "", "a ." },
		{ "a\r\nb\r\n", "a b", "c" },
		{ "\xef\xbb\xbf"
		  "a",
		  "a", "b" },
		{ "**/.git\n**/*.py[cod]", ".git/HEAD d/.git d/x.pyc", "x.py .gitignore" },
		{ "dist\n!dist/keep", "dist/a dist", "dist/keep dist/keep/x" },
		{ "é*", "éa", "e" },
	};

	(void)unused;
	for (size_t n = 0; n < ARRAY_SIZE(cases); n++) {
		struct ignore *i = ignore_parse(cases[n].rules, strlen(cases[n].rules));

		for (int out = 0; out < 2; out++) {
			autofree char *copy = xstrdup(out ? cases[n].out : cases[n].in);
			char *rest = copy, *path;

			while ((path = strsep(&rest, " ")))
				if (*path && ignore_matches(i, path) != out)
					fail_msg("'%s': '%s' should be %s", cases[n].rules, path,
						 out ? "out" : "in");
		}
		ignore_free(i);
	}
}

static void test_only_rules_with_an_exclamation_mark_take_in(void **unused)
{
	static const struct {
		const char *rules;
		bool takes_in;
	} cases[] = { { "a\n!b", true }, { "a\n", false }, { "!", false } };

	(void)unused;
	for (size_t n = 0; n < ARRAY_SIZE(cases); n++) {
		struct ignore *i = ignore_parse(cases[n].rules, strlen(cases[n].rules));

		assert_int_equal(ignore_takes_in(i), cases[n].takes_in);
		ignore_free(i);
	}
}

static void
test_a_hostile_rule_takes_no_longer_than_its_length_times_that_of_the_path(void **unused)
{
	autobuf struct buf rule = { 0 }, path = { 0 };
	struct timespec before, after;
	struct ignore *i;

	(void)unused;
	while (rule.size < 3000)
		buf_adds(&rule, "**/*a");
	while (path.size < 4000)
		buf_adds(&path, "aaab/");
	buf_adds(&path, "b");
	i = ignore_parse(buf_str(&rule), rule.size);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	assert_false(ignore_matches(i, buf_str(&path))); /* no part of it ends in "a" */
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	assert_in_range(after.tv_sec - before.tv_sec, 0, 2);
	ignore_free(i);
}

static void test_a_list_that_takes_too_much_is_given_up(void **unused)
{
	autobuf struct buf rules = { 0 };
	struct ignore *i;

	(void)unused;
	for (int n = 0; n < 4096; n++)
		buf_adds(&rules, "a\n");
	i = ignore_parse(buf_str(&rules), rules.size);
	assert_false(ignore_gave_up(i));
	assert_true(ignore_matches(i, "a"));
	ignore_free(i);
	buf_adds(&rules, "b\n");
	i = ignore_parse(buf_str(&rules), rules.size);
	assert_true(ignore_gave_up(i)); /* rather than send what the last rule leaves out */
	ignore_free(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_last_rule_that_matches_decides),
		cmocka_unit_test(test_only_rules_with_an_exclamation_mark_take_in),
		cmocka_unit_test(
			test_a_hostile_rule_takes_no_longer_than_its_length_times_that_of_the_path),
		cmocka_unit_test(test_a_list_that_takes_too_much_is_given_up),
	};

	return cmocka_run_group_tests_name("wire/ignore", tests, NULL, NULL);
}
