/* The one way to report a failure. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static enum err_kind kind_of(int errnum)
{
	struct err e;

	errno = errnum;
	assert_int_equal(err_sys(&e, "write '%s'", "it"), -1);
	return e.kind;
}

static void a_full_disk_is_no_fault_of_ours(void **state)
{
	(void)state;
	assert_int_equal(kind_of(ENOSPC), ERR_CAPACITY);
	assert_int_equal(kind_of(EDQUOT), ERR_CAPACITY);
	assert_int_equal(kind_of(EIO), ERR_INTERNAL);
}

static void the_text_says_what_was_tried_and_why_it_failed(void **state)
{
	struct err e;

	(void)state;
	errno = ENOSPC;
	assert_int_equal(err_sys(&e, "write '%s'", "it"), -1);
	assert_int_equal(err_wrap(&e, "the snapshot %d", 7), -1);
	assert_string_equal(e.text, "the snapshot 7: write 'it': No space left on device");
	assert_int_equal(e.kind, ERR_CAPACITY);
}

static void a_text_that_is_too_long_is_cut(void **state)
{
	char longer[2000];
	struct err e;

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(err_set(&e, ERR_INVALID, "%s", longer), -1);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_int_equal(err_wrap(&e, "in front"), -1);
	assert_int_equal(strncmp(e.text, "in front: xx", 12), 0);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_disk_is_no_fault_of_ours),
		cmocka_unit_test(the_text_says_what_was_tried_and_why_it_failed),
		cmocka_unit_test(a_text_that_is_too_long_is_cut),
	};

	return cmocka_run_group_tests_name("base/err", tests, NULL, NULL);
}
