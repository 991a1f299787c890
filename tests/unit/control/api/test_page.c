/* Pages of a list that changes, and cursors that are used where they do not belong. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/api/page.h"

#define N 100

static struct control ctl = { .token_keys = { .n = 2, .current = 0 } };
static const struct principal mine = { .account = "000000000000" };
static const struct principal theirs = { .account = "111111111111" };
static const struct op vms = { .name = "ListMicrovms", .status = 200 };
static const struct op images = { .name = "ListMicrovmImages", .status = 200 };
static const struct op connectors = { .name = "ListNetworkConnectors",
				      .status = 200,
				      .family = FAMILY_CORE };

static struct item {
	struct order_node in;
	char id[24];
} items[N];
static struct order order;

static struct {
	unsigned status;
	json_t *body;
} said;

void http_answer(struct http_exchange *x, unsigned status, const struct http_header *headers,
		 size_t n, const void *data, size_t size)
{
	(void)headers;
	(void)n;
	json_decref(said.body);
	said.status = status;
	said.body = json_loadb(data, size, 0, NULL);
	call_exchange_done((struct call *)(void *)x);
}

void op_segments_free(struct op_segments *s)
{
	(void)s;
}

static void add(size_t i, int64_t at)
{
	snprintf(items[i].id, sizeof(items[i].id), "i%zu", i);
	order_add(&order, &items[i].in, mine.account, at, items[i].id);
}

static int set_up(void **unused)
{
	(void)unused;
	order = (struct order){ 0 };
	memset(items, 0, sizeof(items));
	memset(ctl.token_keys.keys[0].key, 1, 32);
	memset(ctl.token_keys.keys[1].key, 2, 32);
	ctl.token_keys.current = 0;
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	json_decref(said.body);
	said.body = NULL;
	return 0;
}

/* Asks for a page; @in is taken over.  Returns how many items it has. */
static size_t ask(const struct op *op, const struct principal *who, json_t *in)
{
	struct call *c = xcalloc(1, sizeof(*c));
	struct page page;

	*c = (struct call){ .ctl = &ctl, .op = op, .who = who, .in = in };
	c->x = (struct http_exchange *)(void *)c;
	list_init(&c->waits);
	if (!page_begin(&page, c))
		return 0;
	page_each(n, &page, &order, who->account)
	{
		if (page_takes(&page, n->id, n->at))
			page_add(&page, json_string(n->id));
	}
	page_answer(&page);
	return json_array_size(json_object_get(said.body, "items"));
}

static size_t ask_next(const char *cursor)
{
	return ask(&vms, &mine, json_pack("{s:i,s:s?}", "maxResults", 7, "nextToken", cursor));
}

static char *cursor(void)
{
	const char *text = json_string_value(json_object_get(said.body, "nextToken"));

	return text ? xstrdup(text) : NULL;
}

/* What was there from the first page to the last is shown once, whatever comes and goes. */
static void test_every_item_that_stays_is_shown_once(void **unused)
{
	unsigned shown[N] = { 0 };
	char *next = NULL;
	size_t coming = N / 2, going = 0;

	(void)unused;
	for (size_t i = 0; i < N / 2; i++)
		add(i, (int64_t)(i / 5)); /* five have the same time */
	do {
		size_t n = ask_next(next);

		for (size_t i = 0; i < n; i++) {
			const json_t *items_of = json_object_get(said.body, "items");

			shown[atoi(json_string_value(json_array_get(items_of, i)) + 1)]++;
		}
		free(next);
		next = cursor();
		add(coming, 1000 + (int64_t)coming);
		coming++;
		/* The one that the cursor names goes too, at times. */
		order_del(&order, &items[N / 2 - 1 - going].in);
		going += 7;
	} while (next);
	for (size_t i = 0; i < N / 2; i++)
		assert_true(shown[i] == 1 || (!shown[i] && !items[i].in.in));
	for (size_t i = N / 2; i < N; i++)
		assert_int_equal(shown[i], 0);
}

static void test_a_cursor_needs_no_escaping(void **unused)
{
	autofree char *next = NULL;

	(void)unused;
	for (size_t i = 0; i < N; i++)
		add(i, (int64_t)i * 7919);
	ask_next(NULL);
	next = cursor();
	assert_non_null(next);
	assert_int_equal(strspn(next, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_"),
			 strlen(next));
}

static void test_a_cursor_is_worth_nothing_elsewhere(void **unused)
{
	autofree char *next = NULL;

	(void)unused;
	for (size_t i = 0; i < N; i++)
		add(i, (int64_t)i);
	ask_next(NULL);
	next = cursor();
	ask(&vms, &theirs, json_pack("{s:i,s:s}", "maxResults", 7, "nextToken", next));
	assert_int_equal(said.status, 400);
	ask(&images, &mine, json_pack("{s:i,s:s}", "maxResults", 7, "nextToken", next));
	assert_int_equal(said.status, 400);
	ask(&vms, &mine, json_pack("{s:s,s:s}", "imageVersion", "1.0", "nextToken", next));
	assert_int_equal(said.status, 400);
	ask(&vms, &mine, json_pack("{s:i,s:s}", "maxResults", 9, "nextToken", next));
	assert_int_equal(said.status, 200); /* how many is the client's choice each time */
}

static void test_a_cursor_that_is_not_ours_is_refused(void **unused)
{
	static const char *const texts[] = { "", "x", "YQ==", "a b", "====", "\xc3\xa4", "AAAA" };
	autofree char *next = NULL, *longer = NULL, *many = xcalloc(1, 5000);

	(void)unused;
	for (size_t i = 0; i < N; i++)
		add(i, (int64_t)i);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		ask_next(texts[i]);
		assert_int_equal(said.status, 400);
	}
	memset(many, 'A', 4999);
	ask_next(many);
	assert_int_equal(said.status, 400);
	ask_next(NULL);
	next = cursor();
	longer = xasprintf("%sAAAA", next);
	ask_next(longer);
	assert_int_equal(said.status, 400);
	for (size_t i = 0; i + 1 < strlen(next); i++) { /* the last one has bits without use */
		next[i] ^= 1;
		ask_next(next);
		assert_int_equal(said.status, 400);
		next[i] ^= 1;
	}
	assert_int_equal(ask_next(next), 7);
}

static void test_an_older_key_still_opens_it(void **unused)
{
	autofree char *next = NULL;

	(void)unused;
	for (size_t i = 0; i < N; i++)
		add(i, (int64_t)i);
	ask_next(NULL);
	next = cursor();
	ctl.token_keys.current = 1;
	assert_int_equal(ask_next(next), 7);
	memset(ctl.token_keys.keys[0].key, 3, 32);
	ask_next(next);
	assert_int_equal(said.status, 400);
}

static void test_lambda_core_pages_in_its_own_words(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < 3; i++)
		add(i, (int64_t)i);
	ask(&connectors, &mine, json_pack("{s:i}", "MaxItems", 2));
	assert_non_null(json_object_get(said.body, "NextMarker"));
	ask(&connectors, &mine, json_pack("{s:i}", "MaxItems", 3));
	assert_null(json_object_get(said.body, "NextMarker")); /* absent, and not null */
	ask(&connectors, &mine, json_pack("{s:s}", "Marker", "x"));
	assert_int_equal(said.status, 400);
	assert_string_equal(json_string_value(json_object_get(said.body, "message")),
			    "The Marker is not valid.");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_every_item_that_stays_is_shown_once),
		TEST(test_a_cursor_needs_no_escaping),
		TEST(test_a_cursor_is_worth_nothing_elsewhere),
		TEST(test_a_cursor_that_is_not_ours_is_refused),
		TEST(test_an_older_key_still_opens_it),
		TEST(test_lambda_core_pages_in_its_own_words),
	};

	return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
