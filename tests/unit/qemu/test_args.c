/* QEMU's command line: template and clone get the same devices, and nothing by name. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "qemu/args.h"

static const struct qemu_args boot = { .qemu = "/usr/bin/qemu",
				       .shape = { 2, 512 },
				       .qmp = 10,
				       .agent = 11,
				       .tap = 5,
				       .memory = 12,
				       .kernel = 13,
				       .initrd = 14,
				       .console = 15,
				       .root = 16,
				       .disk = -1,
				       .save = -1,
				       .overlay = 17,
				       .state = -1,
				       .tsc_khz = 2600000 };
static const struct qemu_args wake = { .qemu = "/usr/bin/qemu",
				       .shape = { 2, 512 },
				       .qmp = 10,
				       .agent = 11,
				       .tap = 5,
				       .memory = 12,
				       .kernel = -1,
				       .initrd = -1,
				       .console = -1,
				       .root = 16,
				       .disk = 18,
				       .save = 19,
				       .overlay = 17,
				       .state = 20 };

static const char *after(const struct argv *v, const char *option, size_t nth)
{
	for (size_t i = 0; i + 1 < v->n; i++)
		if (!strcmp(v->at[i], option) && !nth--)
			return v->at[i + 1];
	return NULL;
}

static void test_boot_and_restore_have_the_same_devices_in_the_same_order(void **unused)
{
	struct argv a, b;

	(void)unused;
	args_build(&a, &boot);
	args_build(&b, &wake);
	for (size_t i = 0; i < 5; i++) {
		const char *one = after(&a, "-device", i), *other = after(&b, "-device", i);

		assert_true(!one == !other);
		if (one)
			assert_string_equal(one, other);
	}
	assert_string_equal(after(&a, "-cpu", 0), after(&b, "-cpu", 0));
	assert_string_equal(after(&a, "-machine", 0), after(&b, "-machine", 0));
	argv_free(&a);
	argv_free(&b);
}

static void test_a_kernel_is_told_the_rate_and_shares_its_memory(void **unused)
{
	struct argv v;

	(void)unused;
	args_build(&v, &boot);
	assert_non_null(strstr(after(&v, "-append", 0), "tsc_early_khz=2600000"));
	assert_string_equal(after(&v, "-kernel", 0), "/proc/self/fd/13");
	assert_non_null(strstr(after(&v, "-object", 0), "share=on"));
	assert_null(after(&v, "-incoming", 0));
	argv_free(&v);
}

static void test_a_restore_waits_for_its_state_and_maps_memory_privately(void **unused)
{
	struct argv v;

	(void)unused;
	args_build(&v, &wake);
	assert_string_equal(after(&v, "-incoming", 0), "defer");
	assert_non_null(strstr(after(&v, "-object", 0), "share=off"));
	assert_null(after(&v, "-kernel", 0));
	argv_free(&v);
}

static void test_disks_stand_on_each_other_and_only_the_top_is_written(void **unused)
{
	static const char *const stack[][2] = {
		{ "\"node-name\":\"root\",\"read-only\":true", "" },
		{ "\"node-name\":\"disk\",\"read-only\":true", "\"backing\":\"root\"" },
		{ "\"node-name\":\"save\",\"read-only\":true", "\"backing\":\"disk\"" },
		{ "\"node-name\":\"overlay\",\"read-only\":false", "\"backing\":\"save\"" },
	};
	struct argv v;

	(void)unused;
	args_build(&v, &wake);
	for (size_t i = 0; i < ARRAY_SIZE(stack); i++) {
		const char *disk = after(&v, "-blockdev", i);

		assert_non_null(strstr(disk, stack[i][0]));
		assert_non_null(strstr(disk, stack[i][1]));
		assert_non_null(strstr(disk, "/dev/fdset/"));
	}
	argv_free(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_boot_and_restore_have_the_same_devices_in_the_same_order),
		cmocka_unit_test(test_a_kernel_is_told_the_rate_and_shares_its_memory),
		cmocka_unit_test(test_a_restore_waits_for_its_state_and_maps_memory_privately),
		cmocka_unit_test(test_disks_stand_on_each_other_and_only_the_top_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
