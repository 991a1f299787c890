/* Which engine a version has, and where it runs. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "control/control.h"
#include "control/model/model.h"

static void test_a_row_of_before_there_were_two_engines_is_of_qemu(void **unused)
{
	(void)unused;
	assert_int_equal(engine_kind(NULL), PRIV_MACHINE_QEMU);
	assert_int_equal(engine_kind("xen"), -1);
	for (int i = 0; i < PRIV_NUM_MACHINE_KINDS; i++)
		assert_int_equal(engine_kind(engines[i].name), i);
}

static void test_a_version_that_needs_kvm_runs_only_where_it_is(void **unused)
{
	struct conf conf = { .kvm = 0 };
	const struct control ctl = { .conf = &conf };
	struct image image = { .name = (char[]){ "hello" } };
	struct image_version v = { .image = &image, .number = 3 };
	struct err e;

	(void)unused;
	assert_int_equal(model_runs_here(&ctl, &v, &e), 0);
	v.engine = PRIV_MACHINE_VMM;
	assert_int_equal(model_runs_here(&ctl, &v, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_non_null(strstr(e.text, "3.0 of image hello"));
	conf.kvm = 1;
	assert_int_equal(model_runs_here(&ctl, &v, &e), 0);
	v.engine = PRIV_MACHINE_QEMU;
	assert_int_equal(model_runs_here(&ctl, &v, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_row_of_before_there_were_two_engines_is_of_qemu),
		cmocka_unit_test(test_a_version_that_needs_kvm_runs_only_where_it_is),
	};

	return cmocka_run_group_tests_name("control/model/engine", tests, NULL, NULL);
}
