/* Who fails too often to prove who they are is refused for a while, and nobody else. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "net/penalty.h"

#define MINUTE 60000

static struct quota_source of(const char *address)
{
	struct quota_source s = { 0 };
	uint8_t raw[16];

	if (inet_pton(AF_INET, address, raw) == 1)
		s.address_size = 4;
	else if (inet_pton(AF_INET6, address, raw) == 1)
		s.address_size = 8;
	memcpy(s.address, raw, s.address_size);
	return s;
}

static struct penalties *limit(int64_t per_minute)
{
	struct penalties *all = penalties_new();

	penalties_limit(all, per_minute);
	return all;
}

static void an_address_is_refused_after_its_budget_and_let_in_as_it_comes_back(void **state)
{
	struct quota_source bad = of("192.0.2.1"), good = of("192.0.2.2");
	struct penalties *all = limit(10);
	int64_t now = 1000000;

	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_false(penalty_is_due(all, &bad, now));
		penalty_add(all, &bad, now);
	}
	assert_true(penalty_is_due(all, &bad, now));
	assert_false(penalty_is_due(all, &good, now));
	assert_true(penalty_is_due(all, &bad, now + MINUTE / 10 - 1));
	assert_false(penalty_is_due(all, &bad, now + MINUTE / 10));
	penalty_add(all, &bad, now + MINUTE / 10);
	assert_true(penalty_is_due(all, &bad, now + MINUTE / 10));
	assert_false(penalty_is_due(all, &bad, now + 2 * MINUTE));
	penalties_free(all);
}

static void refused_requests_do_not_make_it_longer_than_a_minute(void **state)
{
	struct quota_source bad = of("192.0.2.1");
	struct penalties *all = limit(10);

	(void)state;
	for (int i = 0; i < 1000; i++)
		penalty_add(all, &bad, 0);
	assert_false(penalty_is_due(all, &bad, MINUTE));
	penalties_free(all);
}

static void this_host_and_a_limit_of_none_are_never_refused(void **state)
{
	static const char *const local[] = { "127.0.0.1", "::1", "local socket" };
	struct quota_source bad = of("192.0.2.1");
	struct penalties *all = limit(1);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(local); i++) {
		struct quota_source s = of(local[i]);

		penalty_add(all, &s, 0);
		penalty_add(all, &s, 0);
		assert_false(penalty_is_due(all, &s, 0));
	}
	penalties_limit(all, 0);
	penalty_add(all, &bad, 0);
	penalty_add(all, &bad, 0);
	assert_false(penalty_is_due(all, &bad, 0));
	penalties_free(all);
}

static void more_addresses_than_are_known_cost_no_more_memory(void **state)
{
	struct penalties *all = limit(1);
	struct quota_source first = of("192.0.2.1"), s = first;

	(void)state;
	penalty_add(all, &first, 0);
	assert_true(penalty_is_due(all, &first, 0));
	for (unsigned i = 0; i < PENALTY_ADDRESSES; i++) {
		memcpy(s.address + 1, &i, 3);
		penalty_add(all, &s, 0);
	}
	assert_true(penalty_is_due(all, &s, 0));
	assert_false(penalty_is_due(all, &first, 0));
	penalties_free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_address_is_refused_after_its_budget_and_let_in_as_it_comes_back),
		cmocka_unit_test(refused_requests_do_not_make_it_longer_than_a_minute),
		cmocka_unit_test(this_host_and_a_limit_of_none_are_never_refused),
		cmocka_unit_test(more_addresses_than_are_known_cost_no_more_memory),
	};

	return cmocka_run_group_tests_name("net/penalty", tests, NULL, NULL);
}
