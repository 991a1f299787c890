/* What is read of the kernel's files while an image is made. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "guest/sample.h"

static void a_number_is_found_by_its_key_at_the_begin_of_a_line(void **unused)
{
	static const char cpu[] = "usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\n";
	static const char stat[] = "cpu  1 2 3 4 5 6 7 80 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
				   "intr 55 processes 7\nctxt 9\nprocesses 4711\n";

	(void)unused;
	assert_int_equal(sample_number(cpu, "usage_usec"), 1234567);
	assert_int_equal(sample_number(cpu, "system_usec"), 234567);
	assert_int_equal(sample_number(cpu, "usec"), 0);
	assert_int_equal(sample_number(stat, "processes"), 4711);
	assert_int_equal(sample_steal_us(stat), 800000);
	assert_int_equal(sample_steal_us("cpu  1 2 3\n"), 0);
	assert_int_equal(sample_number("", "processes"), 0);
	assert_int_equal(sample_number("processes", "processes"), 0);
	assert_int_equal(sample_number("processes many", "processes"), 0);
}

static void a_disk_is_counted_without_its_partitions(void **unused)
{
	static const char disks[] = "   7       0 loop0 1 0 8 0 0 0 0 0 0 0 0 0 0 0 0\n"
				    " 254       1 vda1 9 0 900 0 9 0 900 0 0 0 0 0 0 0 0\n"
				    " 254       0 vda 100 5 2000 30 7 1 48 10 0 40 40 0 0 0 0 2 3\n"
				    " 254      16 vdab 9 0 900 0 9 0 900 0 0 0 0 0 0 0 0\n";

	(void)unused;
	assert_int_equal(sample_disk(disks, "vda"), (2000 + 48) * 512);
	assert_int_equal(sample_disk(disks, "vdc"), 0);
	assert_int_equal(sample_disk("vda 1", "vda"), 0);
	assert_int_equal(sample_disk(" vda 1 2", "vda"), 0);
}

static void an_interface_is_counted_both_ways(void **unused)
{
	static const char net[] =
		"Inter-|   Receive  |  Transmit\n"
		" face |bytes    packets|bytes    packets\n"
		"    lo:  999       9    0    0    0     0          0         0   999 9\n"
		"  eth0: 1500      12    0    0    0     0          0         0   640 8\n";

	(void)unused;
	assert_int_equal(sample_net(net, "eth0"), 1500 + 640);
	assert_int_equal(sample_net(net, "th0"), 0);
	assert_int_equal(sample_net("eth0:", "eth0"), 0);
}

static void udp_servers_are_sockets_without_a_peer(void **unused)
{
	static const char udp[] =
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n"
		" 1041: 00000000:14E9 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 "
		"1\n"
		" 1042: 0F02000A:9C40 3535FEA9:0035 01 00000000:00000000 00:00000000 00000000 0 0 "
		"2\n";
	static const char udp6[] = "  sl  local_address                         remote_address     "
				   "                   st\n"
				   "   9: 00000000000000000000000000000000:0035 "
				   "00000000000000000000000000000000:0000 07\n";
	uint16_t ports[4];

	(void)unused;
	assert_int_equal(sample_udp(udp, ports, ARRAY_SIZE(ports)), 1);
	assert_int_equal(ports[0], 5353);
	assert_int_equal(sample_udp(udp6, ports, ARRAY_SIZE(ports)), 1);
	assert_int_equal(ports[0], 53);
	assert_int_equal(sample_udp(udp, ports, 0), 0);
	assert_int_equal(sample_udp("", ports, 1), 0);
	assert_int_equal(sample_udp("head\n garbage\n", ports, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_is_found_by_its_key_at_the_begin_of_a_line),
		cmocka_unit_test(a_disk_is_counted_without_its_partitions),
		cmocka_unit_test(an_interface_is_counted_both_ways),
		cmocka_unit_test(udp_servers_are_sockets_without_a_peer),
	};

	return cmocka_run_group_tests_name("guest/sample", tests, NULL, NULL);
}
