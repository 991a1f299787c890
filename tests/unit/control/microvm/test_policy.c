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
			.idle = { 60000, 300000, times[i].policy, true },
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
		.idle = { 60000, 300000, true, true },
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

/* A history of signs of a microVM that is RUNNING since 0, with its last byte at 0, a policy of 60
 * s and work that counts for an hour. */
enum sign { END, CPU, LEASE, BYTE };

static const struct {
	const char *what;
	struct awake signs;
	struct {
		enum sign sign;
		int64_t at_s;
		int64_t value; /* CPU: seconds since its start; LEASE: seconds */
	} history[8];
	int64_t idle_at_s;
} works[] = {
	{ "nothing counts but bytes",
	  { 0, false },
	  { { CPU, 10, 1 }, { CPU, 15, 6 }, { LEASE, 20, 600 }, { CPU, 20, 11 } },
	  60 },
	{ "a busy guest", { 5, false }, { { CPU, 10, 1 }, { CPU, 15, 6 }, { CPU, 20, 11 } }, 80 },
	{ "an idle guest", { 5, false }, { { CPU, 10, 1 }, { CPU, 20, 1 }, { CPU, 30, 1 } }, 60 },
	{ "the first measure is of nothing", { 5, false }, { { CPU, 30, 29 } }, 60 },
	{ "just the share that counts", { 50, false }, { { CPU, 10, 0 }, { CPU, 20, 5 } }, 80 },
	{ "just less", { 51, false }, { { CPU, 10, 0 }, { CPU, 20, 5 } }, 60 },
	{ "two cores at work", { 150, false }, { { CPU, 10, 0 }, { CPU, 20, 20 } }, 80 },
	{ "another machine, whose time begins anew",
	  { 5, false },
	  { { CPU, 10, 100 }, { CPU, 20, 3 } },
	  60 },
	{ "a measure over an hour says nothing of now",
	  { 5, false },
	  { { CPU, 10, 0 }, { CPU, 3000, 2990 } },
	  60 },
	{ "two measures at once are one", { 5, false }, { { CPU, 10, 0 }, { CPU, 10, 5 } }, 60 },
	{ "a lease", { 0, true }, { { LEASE, 10, 600 } }, 670 },
	{ "a lease that nobody allowed", { 5, false }, { { LEASE, 10, 600 } }, 60 },
	{ "a lease that is given back", { 0, true }, { { LEASE, 10, 600 }, { LEASE, 30, 0 } }, 90 },
	{ "a lease that is renewed", { 0, true }, { { LEASE, 10, 60 }, { LEASE, 60, 60 } }, 180 },
	{ "a lease for ever ends with the hour", { 0, true }, { { LEASE, 10, 864000 } }, 3660 },
	{ "work at the hour's end counts no more",
	  { 5, true },
	  { { CPU, 3590, 0 }, { CPU, 3610, 20 }, { LEASE, 3610, 600 } },
	  3660 },
	{ "a byte begins the hour anew",
	  { 5, true },
	  { { BYTE, 3000, 0 }, { LEASE, 3010, 864000 } },
	  6660 },
};

static void work_happens(struct microvm *vm, enum sign sign, int64_t at_s, int64_t value)
{
	/* Boot time 0 is no time at which anything was seen. */
	int64_t now = 1000 * at_s;

	if (sign == CPU)
		policy_note_cpu(vm, (uint64_t)value * 1000000000, now);
	else if (sign == LEASE)
		policy_note_lease(vm, value * 1000, now);
	else
		vm->since.last_byte_ms = now;
}

static void test_work_keeps_awake_as_the_policy_says_and_no_longer(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(works); i++) {
		struct microvm vm = {
			.state = VM_RUNNING,
			.idle = { 60000, 300000, true, true },
			.max_duration_ms = 100000000,
			.awake = { works[i].signs, 3600000 },
		};
		int64_t idle_ms = works[i].idle_at_s * 1000;

		for (size_t n = 0; works[i].history[n].sign; n++)
			work_happens(&vm, works[i].history[n].sign, works[i].history[n].at_s,
				     works[i].history[n].value);
		print_message("%s\n", works[i].what);
		assert_int_equal(policy_due(&vm, idle_ms - 1, KEEP_MS), DUE_NOTHING);
		assert_int_equal(policy_due(&vm, idle_ms, KEEP_MS), DUE_IDLE);
	}
}

static void test_no_work_outlives_the_lifetime(void **unused)
{
	struct microvm vm = {
		.state = VM_RUNNING,
		.idle = { 60000, 300000, true, true },
		.max_duration_ms = 100000,
		.awake = { { 5, true }, 3600000 },
	};

	(void)unused;
	policy_note_lease(&vm, 864000000, 1000);
	assert_int_equal(policy_due(&vm, 99999, KEEP_MS), DUE_NOTHING);
	assert_int_equal(policy_due(&vm, 100000, KEEP_MS), DUE_LIFETIME);
}

static void test_after_a_restart_a_worker_gets_the_time_to_show_it(void **unused)
{
	struct microvm vm = {
		.state = VM_RUNNING,
		.idle = { 60000, 300000, true, true },
		.max_duration_ms = 100000000,
		.awake = { { 0, true }, 3600000 },
	};

	(void)unused;
	policy_begin_work(&vm, 600000);
	assert_int_equal(policy_due(&vm, 659999, KEEP_MS), DUE_NOTHING);
	assert_int_equal(policy_due(&vm, 660000, KEEP_MS), DUE_IDLE);
	vm.awake.signs.lease = false;
	assert_int_equal(policy_due(&vm, 600000, KEEP_MS), DUE_IDLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_work_keeps_awake_as_the_policy_says_and_no_longer),
		cmocka_unit_test(test_no_work_outlives_the_lifetime),
		cmocka_unit_test(test_after_a_restart_a_worker_gets_the_time_to_show_it),
		cmocka_unit_test(test_time_does_to_a_microvm_what_its_row_says),
		cmocka_unit_test(test_a_step_of_the_wall_clock_ends_nothing),
		cmocka_unit_test(test_a_time_that_lies_ahead_is_now),
	};

	return cmocka_run_group_tests_name("control/microvm/policy", tests, NULL, NULL);
}
