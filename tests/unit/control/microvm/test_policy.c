/* What time does to a microVM. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "control/microvm/policy.h"

#define KEEP_MS 86400000

static const struct {
	enum vm_state state;
	bool policy;
	int64_t last_byte, suspended, terminated, now;
	enum policy_due due;
} times[] = {
	/* started at 1000, idle 60 s, suspended 300 s, lifetime 1000 s */
	{ VM_RUNNING, true, 1000, 0, 0, 60999, DUE_NOTHING },
	{ VM_RUNNING, true, 1000, 0, 0, 61000, DUE_IDLE },
	{ VM_RUNNING, true, 50000, 0, 0, 61000, DUE_NOTHING },
	{ VM_RUNNING, false, 1000, 0, 0, 999000, DUE_NOTHING },
	{ VM_RUNNING, false, 1000, 0, 0, 1001000, DUE_LIFETIME },
	{ VM_RUNNING, true, 1000999, 0, 0, 1001000, DUE_LIFETIME },
	{ VM_PENDING, true, 0, 0, 0, 61000, DUE_NOTHING },
	{ VM_PENDING, true, 0, 0, 0, 1001000, DUE_LIFETIME },
	{ VM_SUSPENDED, true, 1000, 70000, 0, 369999, DUE_NOTHING },
	{ VM_SUSPENDED, true, 1000, 70000, 0, 370000, DUE_SUSPENDED },
	{ VM_SUSPENDED, false, 1000, 70000, 0, 999000, DUE_NOTHING },
	{ VM_SUSPENDED, false, 1000, 70000, 0, 1001000, DUE_LIFETIME },
	{ VM_SUSPENDING, true, 1000, 0, 0, 999000, DUE_NOTHING },
	{ VM_TERMINATING, true, 1000, 0, 0, 9999999, DUE_NOTHING },
	{ VM_TERMINATED, true, 1000, 0, 70000, 70000 + KEEP_MS - 1, DUE_NOTHING },
	{ VM_TERMINATED, true, 1000, 0, 70000, 70000 + KEEP_MS, DUE_FORGET },
};

static void test_time_does_to_a_microvm_what_its_row_says(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		const struct microvm vm = {
			.state = times[i].state,
			.since = { .started_ms = 1000,
				   .last_byte_ms = times[i].last_byte,
				   .suspended_ms = times[i].suspended,
				   .terminated_ms = times[i].terminated },
			.idle = { times[i].policy, 60000, 300000, true },
			.max_duration_ms = 1000000,
		};

		assert_int_equal(policy_due(&vm, times[i].now, KEEP_MS), times[i].due);
	}
}

static void test_a_step_of_the_wall_clock_ends_nothing(void **unused)
{
	struct microvm vm = {
		.state = VM_RUNNING,
		.started_ms = 1000000,
		.last_byte_ms = 1005000,
		.idle = { true, 60000, 300000, true },
		.max_duration_ms = 1000000,
	};

	(void)unused;
	policy_begin(&vm, 1010000, 50000); /* the wall clock, the host's */
	assert_int_equal(vm.since.started_ms, 40000);
	assert_int_equal(policy_due(&vm, 50000, KEEP_MS), DUE_NOTHING);
	/* The wall clock goes an hour ahead, then two back: bytes that pass are news all the same.
	 */
	assert_true(policy_note_byte(&vm, 4611000, 4611000, 51000));
	assert_int_equal(vm.since.last_byte_ms, 51000);
	assert_true(policy_note_byte(&vm, 1000, 1500, 52000));
	assert_int_equal(vm.since.last_byte_ms, 51500);
	assert_false(policy_note_byte(&vm, 900, 1500, 52000));
	assert_int_equal(policy_due(&vm, 111499, KEEP_MS), DUE_NOTHING);
	assert_int_equal(policy_due(&vm, 111500, KEEP_MS), DUE_IDLE);
}

static void test_a_time_that_lies_ahead_is_now(void **unused)
{
	(void)unused;
	assert_int_equal(policy_since(5000, 4000, 100), 100);
	assert_int_equal(policy_since(3000, 4000, 100), -900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_does_to_a_microvm_what_its_row_says),
		cmocka_unit_test(test_a_step_of_the_wall_clock_ends_nothing),
		cmocka_unit_test(test_a_time_that_lies_ahead_is_now),
	};

	return cmocka_run_group_tests_name("control/microvm/policy", tests, NULL, NULL);
}
