/* The header of a snapshot: what is written is read again; damage, strangers and misfits are named.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "machine/format.h"

static struct format sample(struct buf *runs)
{
	struct format f = { .arch = FORMAT_X86_64,
			    .kind = "qemu",
			    .writer = "0.1.0",
			    .content = FORMAT_SAVE,
			    .vcpus = 2,
			    .memory_mib = 256,
			    .machine = "microvm-tcg-1",
			    .state_bytes = 150000,
			    .qemu = "7.2.22",
			    .cpuid = 0x1234567890abcdefULL,
			    .tsc_khz = 2596128,
			    .id = { 1, 2, 3 },
			    .over = { 4, 5, 6 } };

	format_add_run(runs, 3, 4);
	format_add_run(runs, 7, 1);
	format_add_run(runs, 65535, 1);
	f.runs = runs->data;
	f.n_runs = 3;
	return f;
}

/* Make the header's own crc right again, so that what is behind it is looked at. */
static void mend(struct buf *b)
{
	size_t head = 72 + 32 * (size_t)b->data[64];
	uint32_t crc;

	memset(b->data + 68, 0, 4);
	crc = crc32c(b->data, head);
	for (int i = 0; i < 4; i++)
		b->data[68 + i] = (uint8_t)(crc >> 8 * i);
}

static void test_the_crc_is_castagnolis(void **unused)
{
	(void)unused;
	assert_int_equal(crc32c("123456789", 9), 0xe3069283);
}

static void test_a_header_comes_back_as_it_was_written(void **unused)
{
	autobuf struct buf runs = { 0 }, b = { 0 };
	struct format f = sample(&runs), g;
	struct err e = { 0 };

	(void)unused;
	format_write(&b, &f);
	assert_int_equal(format_parse(b.data, b.size, &g, &e), 0);
	assert_int_equal(g.arch, f.arch);
	assert_string_equal(g.kind, f.kind);
	assert_string_equal(g.writer, f.writer);
	assert_string_equal(g.machine, f.machine);
	assert_string_equal(g.qemu, f.qemu);
	assert_memory_equal(g.id, f.id, sizeof(f.id));
	assert_memory_equal(g.over, f.over, sizeof(f.over));
	assert_true(g.cpuid == f.cpuid && g.tsc_khz == f.tsc_khz);
	assert_true(g.state_bytes == f.state_bytes);
	assert_int_equal(g.n_runs, 3);
	assert_int_equal(format_run(&g, 2).first, 65535);
	assert_int_equal(format_run(&g, 0).n, 4);
}

static void test_bytes_of_the_agent_come_back_and_none_need_no_section(void **unused)
{
	autobuf struct buf runs = { 0 }, b = { 0 };
	struct format f = sample(&runs), g;
	struct err e;

	(void)unused;
	format_write(&b, &f);
	assert_int_equal(b.data[64], 5);
	assert_int_equal(format_parse(b.data, b.size, &g, &e), 0);
	assert_int_equal(g.n_agent, 0);
	buf_clear(&b);
	f.agent = (const uint8_t *)"half a frame";
	f.n_agent = 12;
	format_write(&b, &f);
	assert_int_equal(b.data[64], 6);
	assert_int_equal(format_parse(b.data, b.size, &g, &e), 0);
	assert_int_equal(g.n_agent, 12);
	assert_memory_equal(g.agent, "half a frame", 12);
}

static void test_an_image_has_no_runs(void **unused)
{
	autobuf struct buf runs = { 0 }, b = { 0 };
	struct format f = sample(&runs), g;
	struct err e;

	(void)unused;
	f.content = FORMAT_IMAGE;
	format_write(&b, &f);
	assert_int_equal(format_parse(b.data, b.size, &g, &e), 0);
	assert_int_equal(g.n_runs, 0);
}

static void test_any_flipped_bit_is_found(void **unused)
{
	autobuf struct buf runs = { 0 }, b = { 0 };
	struct format f = sample(&runs), g;
	struct err e;

	(void)unused;
	format_write(&b, &f);
	for (size_t i = 0; i < b.size; i++) {
		b.data[i] ^= 0x10;
		assert_int_equal(format_parse(b.data, b.size, &g, &e), -1);
		b.data[i] ^= 0x10;
	}
}

static void test_any_cut_is_found(void **unused)
{
	autobuf struct buf runs = { 0 }, b = { 0 };
	struct format f = sample(&runs), g;
	struct err e;

	(void)unused;
	format_write(&b, &f);
	for (size_t n = 0; n < b.size; n++)
		assert_int_equal(format_parse(b.data, n, &g, &e), -1);
}

static void test_an_unknown_section_is_refused_by_name_only_if_mandatory(void **unused)
{
	autobuf struct buf runs = { 0 }, b = { 0 };
	struct format f = sample(&runs), g;
	uint8_t *last;
	struct err e;

	(void)unused;
	f.content = FORMAT_SAVE;
	format_write(&b, &f);
	last = b.data + 72 + 4 * 32;
	memcpy(last, "WARP", 4);
	mend(&b);
	assert_int_equal(format_parse(b.data, b.size, &g, &e), -1);
	assert_non_null(strstr(e.text, "WARP"));

	last[8] = 0; /* not mandatory: skipped, and then the runs are what is missing */
	mend(&b);
	assert_int_equal(format_parse(b.data, b.size, &g, &e), -1);
	assert_non_null(strstr(e.text, "missing"));
}

static void test_a_newer_format_is_named(void **unused)
{
	autobuf struct buf runs = { 0 }, b = { 0 };
	struct format f = sample(&runs), g;
	struct err e;

	(void)unused;
	format_write(&b, &f);
	b.data[8] = 9;
	assert_int_equal(format_parse(b.data, b.size, &g, &e), -1);
	assert_non_null(strstr(e.text, "format 9"));
}

static void test_runs_outside_the_memory_or_out_of_order_are_refused(void **unused)
{
	static const struct format_run cases[][2] = {
		{ { 0, 1 }, { 65536, 1 } },      { { 0, 1 }, { 65535, 2 } },
		{ { 5, 2 }, { 6, 1 } },          { { 5, 2 }, { 1, 1 } },
		{ { 0, 1 }, { 2, 0 } },          { { 0, 1 }, { UINT64_MAX, 2 } },
		{ { 1, UINT64_MAX }, { 3, 1 } },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autobuf struct buf runs = { 0 }, bad = { 0 }, b = { 0 };
		struct format f = sample(&runs), g;
		struct err e;

		format_add_run(&bad, cases[i][0].first, cases[i][0].n);
		format_add_run(&bad, cases[i][1].first, cases[i][1].n);
		f.runs = bad.data;
		f.n_runs = 2;
		format_write(&b, &f);
		assert_int_equal(format_parse(b.data, b.size, &g, &e), -1);
		assert_non_null(strstr(e.text, "list of pages"));
	}
}

static void test_what_does_not_fit_is_refused_with_what_is_needed(void **unused)
{
	autobuf struct buf runs = { 0 };
	struct format snapshot = sample(&runs), here = snapshot;
	struct err e;

	(void)unused;
	assert_int_equal(format_fits_machine(&snapshot, &here, &e), 0);
	assert_int_equal(format_fits_host(&snapshot, &here, &e), 0);

	here.memory_mib = 512;
	assert_int_equal(format_fits_machine(&snapshot, &here, &e), -1);
	assert_non_null(strstr(e.text, "256 MiB"));
	here = snapshot;
	here.arch = FORMAT_AARCH64;
	assert_int_equal(format_fits_machine(&snapshot, &here, &e), -1);
	here = snapshot;
	strcpy(here.kind, "vmm");
	assert_int_equal(format_fits_machine(&snapshot, &here, &e), -1);
	assert_non_null(strstr(e.text, "doze-qemu"));
	here = snapshot;
	strcpy(here.machine, "microvm-tcg-2");
	assert_int_equal(format_fits_machine(&snapshot, &here, &e), -1);
	here = snapshot;
	here.content = FORMAT_IMAGE;
	assert_int_equal(format_fits_machine(&snapshot, &here, &e), -1);

	here = snapshot;
	strcpy(here.qemu, "8.0.0");
	assert_int_equal(format_fits_host(&snapshot, &here, &e), -1);
	assert_non_null(strstr(e.text, "7.2.22"));
	here = snapshot;
	here.cpuid++;
	assert_int_equal(format_fits_host(&snapshot, &here, &e), -1);
}

static void test_the_rate_may_differ_by_500_ppm_and_no_more(void **unused)
{
	autobuf struct buf runs = { 0 };
	struct format snapshot = sample(&runs), here = snapshot;
	struct err e;

	(void)unused;
	snapshot.tsc_khz = 2000000;
	here.tsc_khz = 2001000;
	assert_int_equal(format_fits_host(&snapshot, &here, &e), 0);
	here.tsc_khz = 1999000;
	assert_int_equal(format_fits_host(&snapshot, &here, &e), 0);
	here.tsc_khz = 2001001;
	assert_int_equal(format_fits_host(&snapshot, &here, &e), -1);
	assert_non_null(strstr(e.text, "2000000 kHz"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_crc_is_castagnolis),
		cmocka_unit_test(test_a_header_comes_back_as_it_was_written),
		cmocka_unit_test(test_bytes_of_the_agent_come_back_and_none_need_no_section),
		cmocka_unit_test(test_an_image_has_no_runs),
		cmocka_unit_test(test_any_flipped_bit_is_found),
		cmocka_unit_test(test_any_cut_is_found),
		cmocka_unit_test(test_an_unknown_section_is_refused_by_name_only_if_mandatory),
		cmocka_unit_test(test_a_newer_format_is_named),
		cmocka_unit_test(test_runs_outside_the_memory_or_out_of_order_are_refused),
		cmocka_unit_test(test_what_does_not_fit_is_refused_with_what_is_needed),
		cmocka_unit_test(test_the_rate_may_differ_by_500_ppm_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
