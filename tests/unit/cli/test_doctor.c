/* What `doze doctor` thinks of what a host says. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cli/doctor.h"

static void test_every_check_has_a_level_and_names_the_cure(void **unused)
{
	static const struct {
		enum doctor_check check;
		struct doctor_fact fact;
		enum doctor_level level;
		const char *part; /* of the sentence */
	} rows[] = {
		{ DOCTOR_KVM, { true, 1, "usable: x" }, DOCTOR_OK, "usable: x" },
		{ DOCTOR_KVM,
		  { true, 0, "not usable: y" },
		  DOCTOR_WARN,
		  "not usable: y: microVMs" },
		{ DOCTOR_CGROUPS, { false, 1, "" }, DOCTOR_BAD, "no cgroups" },
		{ DOCTOR_CGROUPS, { true, 2, " cpu io memory pids" }, DOCTOR_OK, "version 2" },
		{ DOCTOR_CGROUPS, { true, 1, " cpuset cpuacct memory pids" }, DOCTOR_BAD, "cpu" },
		{ DOCTOR_CGROUPS,
		  { true, 1, " cpuset cpu cpuacct memory pids" },
		  DOCTOR_OK,
		  "version 1" },
		{ DOCTOR_FAVOR, { false, 0, "" }, DOCTOR_OK, "without KVM" },
		{ DOCTOR_FAVOR, { true, 0, "" }, DOCTOR_WARN, "favordynmods" },
		{ DOCTOR_FAVOR, { true, 1, "" }, DOCTOR_OK, "on" },
		{ DOCTOR_KERNEL, { true, 6001, "6.1.0" }, DOCTOR_OK, "6.1.0" },
		{ DOCTOR_KERNEL, { true, 5010, "5.10.0" }, DOCTOR_BAD, "5.12" },
		{ DOCTOR_SMT, { true, 1, "1" }, DOCTOR_WARN, "nosmt" },
		{ DOCTOR_SMT, { false, 0, "" }, DOCTOR_OK, "off" },
		{ DOCTOR_KSM, { true, 1, "1" }, DOCTOR_WARN, "ksm/run" },
		{ DOCTOR_KSM, { true, 0, "0" }, DOCTOR_OK, "off" },
		{ DOCTOR_THP, { true, 0, "[always] madvise never" }, DOCTOR_WARN, "madvise >" },
		{ DOCTOR_THP, { true, 0, "always [madvise] never" }, DOCTOR_OK, "[madvise]" },
		{ DOCTOR_NX_PAGES, { true, 0, "Y" }, DOCTOR_WARN, "nx_huge_pages=off" },
		{ DOCTOR_NX_PAGES, { true, 0, "N" }, DOCTOR_OK, "off" },
		{ DOCTOR_NX_PAGES, { false, 0, "" }, DOCTOR_OK, "without KVM" },
		{ DOCTOR_FILES, { true, 1024, "" }, DOCTOR_WARN, "LimitNOFILE" },
		{ DOCTOR_FILES, { true, 1048576, "" }, DOCTOR_OK, "1048576" },
		{ DOCTOR_PIDS, { true, 4096, "" }, DOCTOR_WARN, "pid_max" },
		{ DOCTOR_MAPS, { true, 65530, "" }, DOCTOR_OK, "65530" },
		{ DOCTOR_NFTABLES, { false, 0, "" }, DOCTOR_BAD, "not installed" },
		{ DOCTOR_DISK, { true, 100, "/d" }, DOCTOR_BAD, "/d" },
		{ DOCTOR_DISK, { true, 10000, "/d" }, DOCTOR_WARN, "need more" },
		{ DOCTOR_DISK, { true, 100000, "/d" }, DOCTOR_OK, "100000 MiB" },
		{ DOCTOR_FILESYSTEM, { true, 1, "xfs" }, DOCTOR_OK, "share" },
		{ DOCTOR_FILESYSTEM, { false, 0, "vfat" }, DOCTOR_BAD, "vfat" },
		{ DOCTOR_CLOCK, { true, 0, "tsc" }, DOCTOR_OK, "tsc" },
		{ DOCTOR_CLOCK, { true, 0, "hpet" }, DOCTOR_WARN, "hpet" },
		{ DOCTOR_CERTIFICATES, { false, INT64_MAX, "" }, DOCTOR_OK, "own" },
		{ DOCTOR_CERTIFICATES, { true, 31, "a.b" }, DOCTOR_OK, "a.b ends in 31 days" },
		{ DOCTOR_CERTIFICATES, { true, 29, "a.b" }, DOCTOR_WARN, "doze reload" },
		{ DOCTOR_CERTIFICATES, { true, -1, "a.b" }, DOCTOR_BAD, "has expired" },
		{ DOCTOR_CERTIFICATES, { true, DOCTOR_UNREAD, "a.b" }, DOCTOR_WARN, "as root" },
	};
	unsigned seen = 0;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct doctor_says says = { 0 };

		seen |= 1U << rows[i].check;
		doctor_judge(rows[i].check, &rows[i].fact, &says);
		assert_int_equal(says.level, rows[i].level);
		if (!strstr(says.text, rows[i].part))
			fail_msg("row %zu: '%s'", i, says.text);
	}
	assert_int_equal(seen, (1U << DOCTOR_NUM) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_check_has_a_level_and_names_the_cure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
