/* The host's memory. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/meminfo.h"

static void test_meminfo_is_read_or_refused(void **unused)
{
	static const char *const bad[] = { "", "MemTotal: 100 kB\n",
					   "MemTotal: x kB\nMemAvailable: 50 kB\n" };
	struct meminfo m;

	(void)unused;
	assert_true(meminfo_parse("MemTotal:  100 kB\nMemFree: 1 kB\nMemAvailable:   50 kB\n", &m));
	assert_int_equal(m.total, 100 * KIB);
	assert_int_equal(m.available, 50 * KIB);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_false(meminfo_parse(bad[i], &m));
		assert_int_equal(m.total, 0);
		assert_int_equal(m.available, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meminfo_is_read_or_refused),
	};

	return cmocka_run_group_tests_name("base/meminfo", tests, NULL, NULL);
}
