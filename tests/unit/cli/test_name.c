/* What a person types for a name, and which thing is meant. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"

static const char *answer; /* what the list holds */

json_t *client_list(struct client *c, const char *path, struct err *e)
{
	(void)c;
	(void)path;
	(void)e;
	return json_loads(answer, 0, NULL);
}

static void test_the_whole_name_wins_over_a_longer_one(void **unused)
{
	static const char *const all[] = { "hello-2", "hello" };
	bool several;

	(void)unused;
	assert_string_equal(name_pick(all, 2, "hello", &several), "hello");
}

static void test_a_unique_begin_is_enough_and_an_ambiguous_one_is_not(void **unused)
{
	static const char *const all[] = { "alpha", "beta", "bravo" };
	bool several;

	(void)unused;
	assert_string_equal(name_pick(all, 3, "al", &several), "alpha");
	assert_null(name_pick(all, 3, "b", &several));
	assert_true(several);
	assert_null(name_pick(all, 3, "x", &several));
	assert_false(several);
}

static void test_a_microvm_is_found_without_its_prefix_unless_it_is_over(void **unused)
{
	struct client c = { .json = false };
	struct err e;
	char *id;

	(void)unused;
	answer = "[{\"microvmId\":\"microvm-a1\",\"state\":\"TERMINATED\"},"
		 "{\"microvmId\":\"microvm-a2\",\"state\":\"RUNNING\"}]";
	id = name_microvm(&c, "a", &e);
	assert_string_equal(id, "microvm-a2");
	free(id);
	assert_null(name_microvm(&c, "b", &e));
	assert_int_equal(e.kind, ERR_NOT_FOUND);
}

static void test_an_image_becomes_its_arn(void **unused)
{
	struct client c = { .json = false };
	struct err e;
	char *arn;

	(void)unused;
	strcpy(c.conf.region, "us-east-1");
	strcpy(c.conf.account, "000000000000");
	answer = "[{\"name\":\"hello\"}]";
	arn = name_image(&c, "he", &e);
	assert_string_equal(arn, "arn:aws:lambda:us-east-1:000000000000:microvm-image:hello");
	free(arn);
}

static void test_an_empty_name_names_nothing(void **unused)
{
	(void)unused;
	assert_false(name_given(""));
	assert_false(name_given("microvm-"));
	assert_true(name_given("microvm-a"));
	assert_true(name_given("a"));
}

static void test_an_image_is_called_as_the_api_allows(void **unused)
{
	static const char *const good[] = { "a", "Hello-World_2", "-" };
	static const char *const bad[] = { "", "b d!", "a/b", "a.b", "\xc3\xa4" };
	char name[66];

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(name_image_valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(name_image_valid(bad[i]));
	memset(name, 'a', sizeof(name));
	name[64] = '\0';
	assert_true(name_image_valid(name));
	name[64] = 'a';
	name[65] = '\0';
	assert_false(name_image_valid(name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_name_names_nothing),
		cmocka_unit_test(test_the_whole_name_wins_over_a_longer_one),
		cmocka_unit_test(test_a_unique_begin_is_enough_and_an_ambiguous_one_is_not),
		cmocka_unit_test(test_a_microvm_is_found_without_its_prefix_unless_it_is_over),
		cmocka_unit_test(test_an_image_becomes_its_arn),
		cmocka_unit_test(test_an_image_is_called_as_the_api_allows),
	};

	return cmocka_run_group_tests_name("cli/name", tests, NULL, NULL);
}
