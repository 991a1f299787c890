/* Why a start failed is the first error that it has logged. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "dozed/logged.h"

#define OLD "2026-01-01T00:00:00.000Z error dozed of yesterday\n"

static void test_the_first_error_behind_the_start_is_the_reason(void **unused)
{
	static const struct {
		const char *log, *why;
	} rows[] = {
		{ "", NULL },
		{ "T info dozed an error is no error\n", NULL },
		{ "T error dozed listen on port 80\n", "listen on port 80" },
		{ "T info dozed a\nT error control the first\nT error dozed b\n", "the first" },
		{ "\nhalf a line\nT error\nT error dozed\nT error dozed \nT error dozed c", "c" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autoclose int fd = memfd_create("log", MFD_CLOEXEC);
		autofree char *why = NULL;

		assert_int_equal(io_write_full(fd, OLD, strlen(OLD)), 0);
		assert_int_equal(io_write_full(fd, rows[i].log, strlen(rows[i].log)), 0);
		why = logged_error(fd, (off_t)strlen(OLD));
		assert_int_equal(!why, !rows[i].why);
		if (why)
			assert_string_equal(why, rows[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_error_behind_the_start_is_the_reason),
	};

	return cmocka_run_group_tests_name("dozed/logged", tests, NULL, NULL);
}
