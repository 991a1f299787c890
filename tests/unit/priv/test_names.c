/* Names and numbers: slots, addresses, identifiers, networks. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "priv/names.h"

static void names_of(struct names *n, const char *instance)
{
	struct conf conf;
	struct err e;

	conf_defaults(&conf, instance);
	assert_int_equal(names_init(n, &conf, &e), 0);
}

static void test_each_instance_has_names_of_its_own(void **unused)
{
	struct names plain, a, b;

	(void)unused;
	names_of(&plain, "");
	names_of(&a, "test-1");
	names_of(&b, "test-2");
	assert_string_equal(plain.link, "doze-");
	assert_string_equal(plain.table, "doze");
	assert_string_equal(plain.group, "doze");
	assert_string_equal(a.table, "doze_test_1");
	assert_string_equal(a.group, "doze-test-1");
	assert_string_not_equal(a.link, b.link);
	assert_int_equal(strlen(a.link), 8);
}

static void test_a_slot_is_a_quarter_of_the_network(void **unused)
{
	char link[IFNAMSIZ];
	struct names n;

	(void)unused;
	names_of(&n, "an-instance-with-a-long-name");
	assert_int_equal(names_host_ip(&n, 0), 0x64640001);
	assert_int_equal(names_slot_ip(&n, 0), 0x64640002);
	assert_int_equal(names_host_ip(&n, NAMES_SLOTS - 1), 0x6464fffd);
	assert_int_equal(names_uid(&n, 17), 400017);
	assert_int_equal(n.n_slots, NAMES_SLOTS);
	names_link(&n, NAMES_SLOTS - 1, link);
	assert_int_equal(names_link_slot(&n, link), NAMES_SLOTS - 1);
}

static void test_an_interface_of_others_is_no_slot(void **unused)
{
	static const char *const others[] = { "eth0",       "doze-",     "doze-x",
					      "doze-01",    "doze-1x",   "doze--1",
					      "doze-16384", "dz12345-1", "doze- 1" };
	struct names n;

	(void)unused;
	names_of(&n, "");
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(names_link_slot(&n, others[i]), -1);
	assert_int_equal(names_link_slot(&n, "doze-16383"), 16383);
}

/* Nothing behind a name's end may be read: it lies at the end of the last page that there is. */
static bool is_link(const char *name)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = strlen(name) + 1;
	char *pages =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool is;

	assert_true(pages != MAP_FAILED);
	assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
	memcpy(pages + page - size, name, size);
	is = names_is_link(pages + page - size);
	munmap(pages, 2 * page);
	return is;
}

static void test_a_slot_of_any_instance_is_known_by_its_name(void **unused)
{
	struct names plain, other;
	char link[IFNAMSIZ];

	(void)unused;
	names_of(&plain, "");
	names_of(&other, "test-1");
	names_link(&plain, 7, link);
	assert_true(is_link(link));
	names_link(&other, 16383, link);
	assert_true(is_link(link));
	assert_false(is_link(""));
	assert_false(is_link("d"));
	assert_false(is_link("dz0"));
	assert_false(is_link("dz01234"));
	assert_false(is_link("dz0123x-1"));
	assert_false(is_link("dz012345-"));
	assert_false(is_link("doze"));
	assert_false(is_link("eth0"));
}

static void test_only_a_kind_and_a_uuid_is_an_identifier(void **unused)
{
	char full[44] = "m-00000000-0000-4000-8000-000000000001";

	(void)unused;
	assert_true(names_id_valid(full, sizeof(full), 'm'));
	assert_false(names_id_valid(full, sizeof(full), 'b'));
	assert_false(names_id_valid(full, strlen(full), 'm'));
	full[strlen(full)] = '/';
	assert_false(names_id_valid(full, sizeof(full), 'm'));
	assert_false(names_id_valid("m-../../../../../../../../../../../etc", 40, 'm'));
	assert_false(names_id_valid("", 1, 'm'));
}

static void test_networks_are_read(void **unused)
{
	struct network got[2];
	struct err e;

	(void)unused;
	assert_int_equal(names_networks("", got, 2, &e), 0);
	assert_int_equal(names_networks("10.1.2.3/8, 192.0.2.7", got, 2, &e), 2);
	assert_int_equal(got[0].address, 0x0a000000);
	assert_int_equal(got[0].prefix, 8);
	assert_int_equal(got[1].address, 0xc0000207);
	assert_int_equal(got[1].prefix, 32);
	assert_int_equal(names_networks("0.0.0.0/0", got, 2, &e), 1);
	assert_int_equal(got[0].address, 0);
}

static void test_what_is_no_network_is_refused(void **unused)
{
	static const char *const wrong[] = { "10.0.0.0/33",
					     "10.0.0.0/",
					     "10.0.0/8",
					     "::1",
					     "x",
					     "10.0.0.0/8/8",
					     "1.1.1.1,1.1.1.2,1.1.1.3",
					     "100.100.100.100000000/8" };
	struct network got[2];
	struct err e;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(names_networks(wrong[i], got, 2, &e), -1);
}

static void test_slots_need_a_whole_16(void **unused)
{
	struct conf conf;
	struct names n;
	struct err e;

	(void)unused;
	conf_defaults(&conf, "");
	snprintf(conf.slot_network, sizeof(conf.slot_network), "10.0.0.0/24");
	assert_int_equal(names_init(&n, &conf, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_instance_has_names_of_its_own),
		cmocka_unit_test(test_a_slot_is_a_quarter_of_the_network),
		cmocka_unit_test(test_an_interface_of_others_is_no_slot),
		cmocka_unit_test(test_a_slot_of_any_instance_is_known_by_its_name),
		cmocka_unit_test(test_only_a_kind_and_a_uuid_is_an_identifier),
		cmocka_unit_test(test_networks_are_read),
		cmocka_unit_test(test_what_is_no_network_is_refused),
		cmocka_unit_test(test_slots_need_a_whole_16),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
