/* What strangers may hold of a server, in all and from each address. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "net/quota.h"

static struct quota_source *from(struct quota *q, const char *text)
{
	struct sockaddr_storage a = { 0 };
	struct sockaddr_in6 *six = (void *)&a;
	struct sockaddr_in *four = (void *)&a;

	if (inet_pton(AF_INET, text, &four->sin_addr) == 1)
		a.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1)
		a.ss_family = AF_INET6;
	return quota_source(q, &a);
}

static struct quota *limited(int64_t connections, int64_t per_address)
{
	struct client_limits limits = CLIENT_LIMITS;
	struct quota *q = quota_new();

	limits.connections = connections;
	limits.connections_per_address = per_address;
	limits.unverified_bytes = 100 * KIB;
	limits.unverified_bytes_per_address = 60 * KIB;
	quota_limit(q, &limits);
	return q;
}

static void test_an_address_is_an_ipv4_or_a_64_of_ipv6(void **unused)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "10.0.0.1", "10.0.0.1", true },
		{ "10.0.0.1", "10.0.0.2", false },
		{ "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true },
		{ "2001:db8:1:2::1", "2001:db8:1:3::1", false },
		{ "::ffff:10.0.0.1", "10.0.0.1", true },
		{ "::ffff:10.0.0.1", "::ffff:10.0.0.2", false },
		{ "a local socket", "another", true },
		{ "a local socket", "0.0.0.0", false },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct quota *q = limited(9, 9);
		struct quota_source *a = from(q, rows[i].a), *b;

		quota_enter(a);
		b = from(q, rows[i].b);
		if ((a == b) != rows[i].same)
			fail_msg("%s and %s", rows[i].a, rows[i].b);
		quota_drop(b);
		quota_leave(a);
		quota_free(q);
	}
}

static void test_connections_are_counted_for_each_address_and_in_all(void **unused)
{
	struct quota *q = limited(3, 2);
	struct quota_source *a = from(q, "10.0.0.1"), *b = from(q, "10.0.0.2"), *c;

	(void)unused;
	assert_int_equal(quota_room(a), QUOTA_ROOM);
	quota_enter(a);
	quota_enter(a);
	assert_int_equal(quota_room(a), QUOTA_ADDRESS_FULL);
	assert_int_equal(quota_room(b), QUOTA_ROOM);
	quota_enter(b);
	c = from(q, "10.0.0.3");
	assert_int_equal(quota_room(c), QUOTA_FULL);
	quota_leave(a);
	assert_int_equal(quota_room(c), QUOTA_ROOM);
	quota_drop(c);
	quota_leave(a);
	quota_free(q); /* what is left of it goes with the last connection */
	quota_leave(b);
}

static void test_kept_bytes_are_bounded_but_for_small_requests(void **unused)
{
	struct quota *q = limited(9, 9);
	struct quota_source *a = from(q, "10.0.0.1"), *b = from(q, "10.0.0.2");
	size_t kept[3] = { 0 }, small = 0;

	(void)unused;
	quota_enter(a);
	quota_enter(b);
	assert_true(quota_keep(a, &kept[0], 40 * KIB));
	assert_false(quota_keep(a, &kept[1], 30 * KIB)); /* its address has enough */
	assert_int_equal(kept[1], 0);
	assert_true(quota_keep(b, &kept[1], 50 * KIB));
	assert_false(quota_keep(b, &kept[2], 20 * KIB)); /* all together have */
	assert_true(quota_keep(b, &small, 10 * KIB));
	assert_true(quota_keep(b, &small, 6 * KIB));
	assert_false(quota_keep(b, &small, 1));
	quota_release(a, &kept[0]);
	quota_release(a, &kept[0]); /* twice is harmless */
	assert_true(quota_keep(a, &kept[2], 30 * KIB));
	quota_release(a, &kept[2]);
	quota_release(b, &kept[1]);
	quota_release(b, &small);
	assert_int_equal(a->bytes + b->bytes, 0);
	quota_leave(a);
	quota_leave(b);
	quota_free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_address_is_an_ipv4_or_a_64_of_ipv6),
		cmocka_unit_test(test_connections_are_counted_for_each_address_and_in_all),
		cmocka_unit_test(test_kept_bytes_are_bounded_but_for_small_requests),
	};

	return cmocka_run_group_tests_name("net/quota", tests, NULL, NULL);
}
