/* The text of the rules: what varies stands where it should. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/agent.h"
#include "priv/nft.h"

static void host_text(struct buf *b, const char *allow, uint32_t resolver)
{
	struct conf conf;
	struct names n;
	struct err e;

	conf_defaults(&conf, "t");
	snprintf(conf.allow_private, sizeof(conf.allow_private), "%s", allow);
	assert_int_equal(names_init(&n, &conf, &e), 0);
	nft_host_text(b, &n, resolver);
}

static void assert_holds(struct buf *b, const char *part)
{
	if (!strstr(buf_str(b), part))
		fail_msg("'%s' is not in:\n%s", part, buf_str(b));
}

static void test_the_table_is_replaced_in_one_step(void **unused)
{
	static const char begin[] = "add table inet doze_t\ndelete table inet doze_t\n"
				    "table inet doze_t {\n";
	autobuf struct buf b = { 0 };

	(void)unused;
	host_text(&b, "", 0);
	assert_int_equal(strncmp(buf_str(&b), begin, strlen(begin)), 0);
}

static void test_the_resolver_is_named_where_names_are_asked(void **unused)
{
	autobuf struct buf b = { 0 };

	(void)unused;
	host_text(&b, "", 0x0aff0035);
	assert_holds(&b, "ip daddr { 169.254.53.53, 169.254.169.253 } meta l4proto { tcp, udp } th "
			 "dport 53 dnat ip to 10.255.0.53\n");
	assert_holds(&b, "elements = { 10.255.0.53/32 }");
}

static void test_without_a_resolver_nothing_is_translated(void **unused)
{
	autobuf struct buf b = { 0 };

	(void)unused;
	host_text(&b, "", 0);
	assert_null(strstr(buf_str(&b), "dnat"));
	assert_null(strstr(buf_str(&b), "elements = {  }"));
}

static void test_allowed_networks_come_before_private_ones(void **unused)
{
	autobuf struct buf b = { 0 };

	(void)unused;
	host_text(&b, "10.1.0.0/16,192.168.7.1", 0);
	assert_holds(&b, "elements = { 10.1.0.0/16, 192.168.7.1/32 }");
	assert_true(strstr(buf_str(&b), "@allowed accept") <
		    strstr(buf_str(&b), "@private reject"));
}

static void test_no_allowed_network_opens_the_clouds_metadata(void **unused)
{
	autobuf struct buf b = { 0 };
	const char *closed;

	(void)unused;
	host_text(&b, "169.254.0.0/16", 0);
	assert_holds(&b, "168.63.129.16/32");
	closed = strstr(buf_str(&b), "ip daddr @metadata ip daddr != @resolver reject");
	assert_non_null(closed);
	assert_true(closed < strstr(buf_str(&b), "ct state established,related accept"));
	assert_true(closed < strstr(buf_str(&b), "@allowed accept"));
}

static void test_the_api_is_there_only_where_a_role_is_dozes_own(void **unused)
{
	autobuf struct buf none = { 0 }, some = { 0 };
	struct conf conf;
	struct names n;
	struct err e;

	(void)unused;
	host_text(&none, "", 0);
	assert_null(strstr(buf_str(&none), SLOT_API_IP));
	conf_defaults(&conf, "t");
	conf.n_roles = 1;
	strcpy(conf.roles[0].credentials, "doze");
	assert_int_equal(names_init(&n, &conf, &e), 0);
	nft_host_text(&some, &n, 0);
	assert_holds(&some, "ip daddr 169.254.53.54 tcp dport { 9010, 9011 } accept");
	assert_holds(&some, "iifname != \"lo\" iifname != \"dz*\" iifname != \"doze-*\" ip daddr "
			    "169.254.53.54 drop");
}

static void test_the_slots_own_network_is_private(void **unused)
{
	autobuf struct buf b = { 0 };

	(void)unused;
	host_text(&b, "", 0);
	assert_holds(&b, "224.0.0.0/3, 100.100.0.0/16 }");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_table_is_replaced_in_one_step),
		cmocka_unit_test(test_the_resolver_is_named_where_names_are_asked),
		cmocka_unit_test(test_without_a_resolver_nothing_is_translated),
		cmocka_unit_test(test_allowed_networks_come_before_private_ones),
		cmocka_unit_test(test_no_allowed_network_opens_the_clouds_metadata),
		cmocka_unit_test(test_the_api_is_there_only_where_a_role_is_dozes_own),
		cmocka_unit_test(test_the_slots_own_network_is_private),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
