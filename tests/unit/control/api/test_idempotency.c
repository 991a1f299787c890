/* clientToken: an answer is remembered if and only if it is durable. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../fake_store.h"
#include "control/api/idempotency.h"

static struct conf conf;
static struct api api;
static struct control ctl = { .conf = &conf, .api = &api };
static const struct op create = { .name = "Create", .status = 201 };

/* What the clients were answered. */
static struct {
	unsigned n, status[4];
	char body[4][256];
} said;

void http_answer(struct http_exchange *x, unsigned status, const struct http_header *headers,
		 size_t n, const void *data, size_t size)
{
	(void)headers;
	(void)n;
	said.status[said.n] = status;
	snprintf(said.body[said.n], sizeof(said.body[0]), "%.*s", (int)size, (const char *)data);
	said.n++;
	call_exchange_done((struct call *)(void *)x); /* the client reads it and goes */
}

void op_segments_free(struct op_segments *s)
{
	(void)s;
}

static const struct principal ours = { .account = "000000000000" };
static const struct principal theirs = { .account = "222222222222" };

static struct call *call(const char *token, const char *name)
{
	struct call *c = xcalloc(1, sizeof(*c));

	c->who = &ours;
	c->ctl = &ctl;
	c->op = &create;
	c->x = (struct http_exchange *)(void *)c;
	c->in = json_pack("{s:s,s:s}", "clientToken", token, "name", name);
	list_init(&c->waits);
	return c;
}

/* A new thing, whose row is written with the token. */
static struct call *begin(const char *token, const char *name)
{
	static int made;
	struct call *c = call(token, name);
	struct store_txn *t;

	if (replay_begin(c, NULL))
		return NULL;
	c->made = json_pack("{s:i}", "thing", ++made);
	t = replay_txn(c);
	assert_non_null(t);
	store_commit(t, call_done, c);
	return c;
}

static void load_token(void *arg, const struct store_token *row)
{
	(void)arg;
	replay_load(&ctl, row);
}

static void restart(void)
{
	const struct store_loader loader = { .token = load_token };
	struct err e;

	if (api.replays)
		replays_free(api.replays);
	api.replays = replays_new();
	assert_int_equal(store_load(NULL, &loader, NULL, &e), 0);
}

static int set_up(void **unused)
{
	(void)unused;
	memset(&said, 0, sizeof(said));
	fake_store_clear();
	restart();
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	replays_free(api.replays);
	api.replays = NULL;
	fake_store_clear();
	return 0;
}

static const struct err full = { ERR_CAPACITY, "The disk is full." };

static void test_a_retry_gets_the_first_answer(void **unused)
{
	(void)unused;
	begin("t", "a");
	fake_store_answer(NULL);
	assert_null(begin("t", "a"));
	assert_int_equal(said.status[1], 201);
	assert_string_equal(said.body[0], said.body[1]);
}

static void test_a_retry_gets_it_after_a_restart_too(void **unused)
{
	(void)unused;
	begin("t", "a");
	fake_store_answer(NULL);
	restart();
	assert_null(begin("t", "a"));
	assert_string_equal(said.body[0], said.body[1]);
}

static void test_nobody_is_answered_before_it_is_durable(void **unused)
{
	(void)unused;
	begin("t", "a");
	assert_null(begin("t", "a"));
	assert_int_equal(said.n, 0);
	fake_store_answer(NULL);
	assert_int_equal(said.n, 2);
	assert_string_equal(said.body[0], said.body[1]);
}

static void test_what_could_not_be_written_is_not_remembered(void **unused)
{
	(void)unused;
	begin("t", "a");
	assert_null(begin("t", "a"));
	fake_store_answer(&full);
	assert_int_equal(said.n, 2);
	assert_int_equal(said.status[0], 500);
	assert_int_equal(said.status[1], 500);
	assert_int_equal(fake_store_rows(FAKE_TOKENS), 0);
	assert_non_null(begin("t", "a")); /* anew */
	fake_store_answer(NULL);
	assert_int_equal(said.status[2], 201);
	assert_int_equal(fake_store_rows(FAKE_TOKENS), 1);
}

static void test_what_was_answered_without_a_row_is_not_remembered(void **unused)
{
	struct call *c = call("t", "a");

	(void)unused;
	assert_false(replay_begin(c, NULL));
	call_answer(c, json_pack("{s:i}", "thing", 0));
	assert_int_equal(said.status[0], 201);
	assert_non_null(begin("t", "a"));
	fake_store_answer(NULL);
}

static void test_a_token_with_other_parameters_is_refused(void **unused)
{
	(void)unused;
	begin("t", "a");
	assert_null(begin("t", "b"));
	assert_int_equal(said.status[0], 409);
	fake_store_answer(NULL);
	assert_non_null(begin("u", "b"));
	fake_store_answer(NULL);
	assert_int_equal(fake_store_rows(FAKE_TOKENS), 2);
}

static bool gone(struct control *c, const json_t *answer)
{
	(void)c;
	(void)answer;
	return false;
}

static void test_a_token_whose_thing_is_gone_makes_it_anew(void **unused)
{
	struct call *c;

	(void)unused;
	begin("t", "a");
	fake_store_answer(NULL);
	c = call("t", "a");
	assert_false(replay_begin(c, gone));
	call_fail(c, &full); /* which leaves no trace */
	assert_int_equal(said.status[1], 500);
}

static void test_each_account_has_tokens_of_its_own(void **unused)
{
	struct call *c = call("t", "b");

	(void)unused;
	begin("t", "a");
	c->who = &theirs;
	assert_false(replay_begin(c, NULL)); /* neither held nor refused */
	c->made = json_pack("{s:s}", "thing", "theirs");
	store_commit(replay_txn(c), call_done, c);
	fake_store_answer(NULL);
	fake_store_answer(NULL);
	assert_int_equal(said.status[0], 201);
	assert_int_equal(said.status[1], 201);
	assert_string_not_equal(said.body[0], said.body[1]);
	assert_int_equal(fake_store_rows(FAKE_TOKENS), 2);
	restart();
	c = call("t", "b");
	c->who = &theirs;
	assert_true(replay_begin(c, NULL));
	assert_string_equal(said.body[1], said.body[2]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_retry_gets_the_first_answer),
		TEST(test_a_retry_gets_it_after_a_restart_too),
		TEST(test_nobody_is_answered_before_it_is_durable),
		TEST(test_what_could_not_be_written_is_not_remembered),
		TEST(test_what_was_answered_without_a_row_is_not_remembered),
		TEST(test_a_token_with_other_parameters_is_refused),
		TEST(test_each_account_has_tokens_of_its_own),
		TEST(test_a_token_whose_thing_is_gone_makes_it_anew),
	};

	conf_defaults(&conf, "");
	return cmocka_run_group_tests_name("idempotency", tests, NULL, NULL);
}
