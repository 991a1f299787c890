/* Access keys: who is known, who has expired, and what a request still holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "iam/keys.h"

static const struct creds two = {
	.keys = { { "default", "AKID1", "secret-1" }, { "ops", "AKID2", "secret-2" } },
	.n = 2,
};

static int setup(void **state)
{
	static struct keys k;

	keys_init(&k);
	keys_configure(&k, &two, "111111111111");
	*state = &k;
	return 0;
}

static int teardown(void **state)
{
	keys_free(*state);
	return 0;
}

static void session(struct keys *k, const char *id, const char *token, int64_t expires_ms)
{
	struct access_key *key = key_new(id, "s");

	key->session = xstrdup(token);
	key->expires_ms = expires_ms;
	keys_put(k, key);
}

static void the_pairs_of_the_file_are_roots_of_the_account(void **state)
{
	struct err e;
	const struct access_key *key = keys_claim(*state, "AKID2", "", 1, &e);

	assert_non_null(key);
	assert_true(key->who.root);
	assert_string_equal(key->secret, "secret-2");
	assert_string_equal(key->who.account, "111111111111");
	assert_string_equal(key->who.arn, "arn:aws:iam::111111111111:user/ops");
	assert_string_equal(key->who.name, "ops");
}

static void a_new_file_replaces_the_pairs_of_the_old_one_and_no_other_key(void **state)
{
	static const struct creds one = { .keys = { { "default", "AKID3", "x" } }, .n = 1 };

	keys_put(*state, key_new("AKIDOWN", "y"));
	keys_configure(*state, &one, "111111111111");
	assert_null(keys_find(*state, "AKID1"));
	assert_null(keys_find(*state, "AKID2"));
	assert_non_null(keys_find(*state, "AKID3"));
	assert_non_null(keys_find(*state, "AKIDOWN"));
	assert_false(keys_find(*state, "AKIDOWN")->who.root);
}

static void a_session_is_known_by_its_token_alone(void **state)
{
	static const char *const wrong[] = { "", "token", "tokens ", "Tokens" };
	struct err e;

	session(*state, "ASIA1", "tokens", 0);
	assert_non_null(keys_claim(*state, "ASIA1", "tokens", 1, &e));
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_null(keys_claim(*state, "ASIA1", wrong[i], 1, &e));
		assert_memory_equal(e.text, "InvalidClientTokenId: ", 22);
	}
	assert_null(keys_claim(*state, "AKID1", "tokens", 1, &e)); /* which has no session */
}

static void a_key_expires_and_an_inactive_one_is_unknown(void **state)
{
	struct access_key *off = key_new("AKIDOFF", "s");
	struct err e;

	session(*state, "ASIA2", "t", 1000);
	assert_non_null(keys_claim(*state, "ASIA2", "t", 999, &e));
	assert_null(keys_claim(*state, "ASIA2", "t", 1000, &e));
	assert_memory_equal(e.text, "ExpiredToken: ", 14);
	off->active = false;
	keys_put(*state, off);
	assert_null(keys_claim(*state, "AKIDOFF", "", 1, &e));
	assert_memory_equal(e.text, "InvalidClientTokenId: ", 22);
	assert_null(keys_claim(*state, "AKIDNONE", "", 1, &e));
}

static void a_request_keeps_the_key_that_it_came_with(void **state)
{
	struct err e;
	struct access_key *mine = key_ref(keys_claim(*state, "AKID1", "", 1, &e));

	keys_drop(*state, "AKID1");
	assert_null(keys_find(*state, "AKID1"));
	assert_string_equal(mine->who.account, "111111111111");
	key_unref(mine);
}

static void a_session_has_the_policies_of_a_list_and_a_key_its_own(void **state)
{
	static const char one[] = "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"lambda:*\","
				  "\"Resource\":\"*\"}}";
	autofree char *both = xasprintf("[%s,%s]", one, one);
	autofree char *three = xasprintf("[%s,%s,%s]", one, one, one);
	const char *const refused[] = { "[]", "[1]", "{}", "x", three };
	struct access_key *key = key_new("AKID9", "s");
	struct err e;

	assert_int_equal(key_allow(key, one, &e), 0);
	assert_int_equal(key->who.n_policies, 1);
	assert_string_equal(key->policy, one);
	keys_put(*state, key);
	key = key_new("AKID9", "s");
	assert_int_equal(key_allow(key, both, &e), 0);
	assert_int_equal(key->who.n_policies, 2);
	keys_put(*state, key);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		key = key_new("AKID10", "s");
		assert_int_equal(key_allow(key, refused[i], &e), -1);
		key_unref(key);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_pairs_of_the_file_are_roots_of_the_account),
		T(a_new_file_replaces_the_pairs_of_the_old_one_and_no_other_key),
		T(a_session_is_known_by_its_token_alone),
		T(a_key_expires_and_an_inactive_one_is_unknown),
		T(a_session_has_the_policies_of_a_list_and_a_key_its_own),
		T(a_request_keeps_the_key_that_it_came_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
