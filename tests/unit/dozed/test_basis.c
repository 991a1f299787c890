/* One basis for all that runs while the host is up. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"
#include "base/io.h"
#include "base/steady.h"
#include "dozed/basis.h"

#define BOOT  "0f8fad5b-d9cb-469f-a165-70867728950e"
#define OTHER "7c9e6679-7425-40de-944b-e07fc1f90ae7"

static char dir[] = "/tmp/doze-basis-XXXXXX";

static int make_dir(void **unused)
{
	(void)unused;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **unused)
{
	(void)unused;
	return io_remove_tree(AT_FDCWD, dir);
}

static void test_a_daemon_that_begins_again_goes_on_with_it_until_the_host_is_booted(void **unused)
{
	struct err e;

	(void)unused;
	steady_set_basis(1234567);
	assert_int_equal(basis_open(dir, BOOT, &e), 0);
	steady_set_basis(7); /* as the wall clock would have it now */
	assert_int_equal(basis_open(dir, BOOT, &e), 0);
	assert_int_equal(steady_basis(), 1234567);
	steady_set_basis(9);
	assert_int_equal(basis_open(dir, OTHER, &e), 0);
	assert_int_equal(steady_basis(), 9);
	steady_set_basis(7);
	assert_int_equal(basis_open(dir, OTHER, &e), 0);
	assert_int_equal(steady_basis(), 9);
}

static void test_a_file_that_is_cut_or_wrong_is_made_again(void **unused)
{
	static const char *const wrong[] = { "",          BOOT,       BOOT " ",
					     BOOT " x\n", BOOT " 12", BOOT "12\n" };
	autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err e;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(io_replace(fd, "clock", wrong[i], strlen(wrong[i]), 0644, &e), 0);
		steady_set_basis(40);
		assert_int_equal(basis_open(dir, BOOT, &e), 0);
		assert_int_equal(steady_basis(), 40);
		steady_set_basis(41);
		assert_int_equal(basis_open(dir, BOOT, &e), 0);
		assert_int_equal(steady_basis(), 40);
	}
	assert_int_equal(basis_open("/nonexistent/doze", BOOT, &e), -1);
	assert_non_null(strstr(e.text, "/nonexistent/doze"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_daemon_that_begins_again_goes_on_with_it_until_the_host_is_booted),
		cmocka_unit_test(test_a_file_that_is_cut_or_wrong_is_made_again),
	};

	return cmocka_run_group_tests_name("dozed/basis", tests, make_dir, remove_dir);
}
