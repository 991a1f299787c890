/* Flows of datagrams: who sends is known by his address, and forgotten after a silence. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/flows.h"

static struct flows flows;

static int begin(void **unused)
{
	(void)unused;
	flows_init(&flows);
	return 0;
}

static int end(void **unused)
{
	struct flow_node *n;

	(void)unused;
	while ((n = flows_oldest(&flows)))
		flows_del(&flows, n);
	flows_free(&flows);
	return 0;
}

static struct sockaddr_storage four(const char *address, uint16_t port)
{
	struct sockaddr_storage s = { 0 };
	struct sockaddr_in *in = (void *)&s;

	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	assert_int_equal(inet_pton(AF_INET, address, &in->sin_addr), 1);
	return s;
}

static struct sockaddr_storage six(const char *address, uint16_t port, uint32_t scope)
{
	struct sockaddr_storage s = { 0 };
	struct sockaddr_in6 *in = (void *)&s;

	in->sin6_family = AF_INET6;
	in->sin6_port = htons(port);
	in->sin6_scope_id = scope;
	assert_int_equal(inet_pton(AF_INET6, address, &in->sin6_addr), 1);
	return s;
}

static void test_each_address_and_port_is_a_flow_of_its_own(void **unused)
{
	const struct sockaddr_storage from[] = { four("10.0.0.1", 53),  four("10.0.0.1", 54),
						 four("10.0.0.2", 53),  six("fe80::1", 53, 1),
						 six("fe80::1", 53, 2), six("fe80::1", 54, 1),
						 six("::a00:1", 53, 0) };
	struct flow_node nodes[ARRAY_SIZE(from)] = { 0 };
	uint8_t key[FLOW_KEY];

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
		assert_true(flows_key(&from[i], key));
		assert_null(flows_find(&flows, key));
		flows_add(&flows, &nodes[i], key, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
		assert_true(flows_key(&from[i], key));
		assert_ptr_equal(flows_find(&flows, key), &nodes[i]);
	}
	end(NULL);
}

static void test_what_cannot_be_answered_is_no_flow(void **unused)
{
	const struct sockaddr_storage none = four("10.0.0.1", 0), local = { .ss_family = AF_UNIX };
	uint8_t key[FLOW_KEY];

	(void)unused;
	assert_false(flows_key(&none, key));
	assert_false(flows_key(&local, key));
}

static void test_the_flow_that_is_silent_longest_is_the_first_to_go(void **unused)
{
	struct flow_node nodes[3] = { 0 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		flows_add(&flows, &nodes[i], (uint8_t[FLOW_KEY]){ (uint8_t)i }, (int64_t)i * 100);
	assert_ptr_equal(flows_oldest(&flows), &nodes[0]);
	flows_use(&flows, &nodes[0], 300);
	assert_ptr_equal(flows_oldest(&flows), &nodes[1]);
	assert_null(flows_late(&flows, 1099, 1000));
	assert_ptr_equal(flows_late(&flows, 1100, 1000), &nodes[1]);
	flows_del(&flows, &nodes[1]);
	assert_null(flows_late(&flows, 1100, 1000));
	assert_ptr_equal(flows_late(&flows, 1200, 1000), &nodes[2]);
	flows_del(&flows, &nodes[2]);
	assert_ptr_equal(flows_late(&flows, 1300, 1000), &nodes[0]);
	flows_del(&flows, &nodes[0]);
	assert_null(flows_late(&flows, INT64_MAX, 1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_address_and_port_is_a_flow_of_its_own,
						begin, end),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_answered_is_no_flow, begin,
						end),
		cmocka_unit_test_setup_teardown(
			test_the_flow_that_is_silent_longest_is_the_first_to_go, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
