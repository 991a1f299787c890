/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <string.h>
#include <unistd.h>

#include "vmm/arch/x86_64/acpi.h"
#include "vmm/dev/power.h"
#include "vmm/dev/serial.h"

static char out[64];
static size_t n_out;
static const char *ended;

static void board_put(struct serial *s, const char *bytes, size_t size)
{
	(void)s;
	for (size_t i = 0; i < size; i++, n_out++)
		if (n_out < sizeof(out) - 1)
			out[n_out] = bytes[i];
}

static void board_off(struct power *p, const char *why)
{
	(void)p;
	ended = why;
}

static void port(const struct bus *b, uint64_t at, uint8_t value)
{
	bus_write(b, at, &value, 1);
}

static void test_what_the_guest_sends_comes_out_and_its_last_line_is_kept(void **unused)
{
	struct bus b = { 0 };
	struct serial s;
	uint64_t irqs;
	uint8_t iir;
	struct err e;

	(void)unused;
	assert_int_equal(serial_open(&s, &b, &e), 0);
	s.put = board_put;
	for (const char *c = "one\r\ntwo\n\n"; *c; c++)
		port(&b, SERIAL_BASE, (uint8_t)*c);
	assert_string_equal(out, "one\r\ntwo\n\n");
	assert_string_equal(serial_last_line(&s), "two");
	assert_int_equal(read(s.irq_fd, &irqs, sizeof(irqs)), -1);
	port(&b, SERIAL_BASE + 1, 2);
	assert_int_equal(read(s.irq_fd, &irqs, sizeof(irqs)), sizeof(irqs));
	bus_read(&b, SERIAL_BASE + 2, &iir, 1);
	assert_int_equal(iir, 0xc2);
	bus_read(&b, SERIAL_BASE + 2, &iir, 1);
	assert_int_equal(iir, 0xc1);
	serial_close(&s);
}

/* As the kernel's driver does: read why, then fill the transmitter. */
static void test_a_full_transmitter_is_one_interrupt(void **unused)
{
	struct bus b = { 0 };
	struct serial s;
	uint64_t irqs;
	uint8_t iir;
	struct err e;

	(void)unused;
	assert_int_equal(serial_open(&s, &b, &e), 0);
	port(&b, SERIAL_BASE + 1, 2);
	assert_int_equal(read(s.irq_fd, &irqs, sizeof(irqs)), sizeof(irqs));
	for (unsigned round = 0; round < 2; round++) {
		bus_read(&b, SERIAL_BASE + 2, &iir, 1);
		assert_int_equal(iir, 0xc2);
		for (unsigned i = 0; i < 16; i++)
			port(&b, SERIAL_BASE, 'x');
		assert_int_equal(read(s.irq_fd, &irqs, sizeof(irqs)), sizeof(irqs));
		assert_int_equal(irqs, 1);
	}
	port(&b, SERIAL_BASE + 1, 0);
	port(&b, SERIAL_BASE + 1, 2);
	assert_int_equal(read(s.irq_fd, &irqs, sizeof(irqs)), sizeof(irqs));
	serial_loaded(&s); /* KVM may not have taken it before the save */
	assert_int_equal(read(s.irq_fd, &irqs, sizeof(irqs)), sizeof(irqs));
	serial_close(&s);
}

static void test_a_flood_is_cut_short(void **unused)
{
	struct bus b = { 0 };
	struct serial s;
	struct err e;

	(void)unused;
	assert_int_equal(serial_open(&s, &b, &e), 0);
	s.put = board_put;
	n_out = 0;
	for (size_t i = 0; i < 4 * SERIAL_BURST; i++)
		port(&b, SERIAL_BASE, 'x');
	assert_in_range(n_out, SERIAL_BURST, 3 * SERIAL_BURST);
	assert_int_equal(strlen(serial_last_line(&s)), sizeof(s.line[0]) - 1);
	serial_close(&s);
}

static void test_a_guest_turns_itself_off_in_three_ways(void **unused)
{
	static const struct {
		uint16_t port;
		uint8_t value;
		bool ends;
	} ways[] = {
		{ POWER_SLEEP_CONTROL, 0x34, true },
		{ POWER_SLEEP_CONTROL, 0x14, false },
		{ POWER_RESET, 1, true },
		{ POWER_RESET, 2, false },
		{ POWER_KEYBOARD, 0xfe, true },
		{ POWER_KEYBOARD, 0xd1, false },
		{ POWER_SLEEP_STATUS, 0x80, false },
	};
	struct bus b = { 0 };
	struct power p;

	(void)unused;
	power_init(&p, &b, board_off);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		ended = NULL;
		port(&b, ways[i].port, ways[i].value);
		assert_int_equal(ended != NULL, ways[i].ends);
	}
}

/* The address of the table @signature in @b's bytes, if the sum of it is 0. */
static size_t table(const struct buf *b, const char *signature)
{
	for (size_t at = 0; at + 36 <= b->size; at += 4) {
		uint32_t size;
		uint8_t sum = 0;

		memcpy(&size, b->data + at + 4, sizeof(size));
		if (memcmp(b->data + at, signature, 4) || size < 36 || size > b->size - at)
			continue;
		for (size_t i = 0; i < size; i++)
			sum = (uint8_t)(sum + b->data[at + i]);
		return sum ? 0 : at;
	}
	return 0;
}

static void test_the_tables_sum_up_and_know_all_vcpus(void **unused)
{
	autobuf struct buf b = { 0 };
	uint32_t size;

	(void)unused;
	acpi_build(&b, 16, 8);
	assert_memory_equal(b.data, "RSD PTR ", 8);
	assert_int_not_equal(table(&b, "DSDT"), 0);
	assert_int_not_equal(table(&b, "FACP"), 0);
	assert_int_not_equal(table(&b, "XSDT"), 0);
	assert_int_not_equal(table(&b, "APIC"), 0);
	memcpy(&size, b.data + table(&b, "APIC") + 4, sizeof(size));
	assert_int_equal(size, 36 + 8 + 16 * 8 + 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_the_guest_sends_comes_out_and_its_last_line_is_kept),
		cmocka_unit_test(test_a_full_transmitter_is_one_interrupt),
		cmocka_unit_test(test_a_flood_is_cut_short),
		cmocka_unit_test(test_a_guest_turns_itself_off_in_three_ways),
		cmocka_unit_test(test_the_tables_sum_up_and_know_all_vcpus),
	};

	return cmocka_run_group_tests_name("vmm/board", tests, NULL, NULL);
}
