/* What control decides: timers, admission, pool, routes, adoption, hooks.  All pure. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/admission/admission.h"
#include "control/channels/routes.h"
#include "control/microvm/adopt.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/microvm/policy.h"
#include "control/pool/pool.h"
#include "control/pool/prewarm.h"
#include "control/pool/spares.h"

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

static void test_room_is_what_the_host_can_spare(void **unused)
{
	struct admission_memory m = { .total = 1000 * MIB, .available = 500 * MIB, .percent = 80 };

	(void)unused;
	assert_true(admission_fits(&m, 300 * MIB)); /* 200 MiB stay free */
	assert_false(admission_fits(&m, 301 * MIB));
	m.reserved = 100 * MIB;
	assert_true(admission_fits(&m, 200 * MIB));
	assert_false(admission_fits(&m, 201 * MIB));
	m.available = 100 * MIB;
	assert_false(admission_fits(&m, 1));
	m = (struct admission_memory){ 0 }; /* the host's figures are not known */
	assert_false(admission_fits(&m, 1));
}

static void test_the_pool_starts_when_nobody_waits(void **unused)
{
	static const struct {
		struct admission_load load; /* at_once, running, pool_running, waiting */
		bool microvm, pool;
	} rows[] = {
		{ { 3, 0, 0, 0 }, true, true },   { { 3, 1, 0, 0 }, true, true },
		{ { 3, 2, 0, 0 }, true, false },  { { 3, 3, 0, 0 }, false, false },
		{ { 3, 0, 1, 0 }, true, false },  { { 3, 0, 0, 1 }, true, false },
		{ { 1, 0, 1, 0 }, true, false },  { { 1, 0, 0, 0 }, true, true },
		{ { 1, 1, 0, 0 }, false, false },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(admission_may_start(&rows[i].load, ADMISSION_MICROVM),
				 rows[i].microvm);
		assert_int_equal(admission_may_start(&rows[i].load, ADMISSION_POOL), rows[i].pool);
	}
}

static void test_a_pool_follows_demand(void **unused)
{
	static const struct {
		struct pool_facts facts; /* active, since, recent, per_image, demand */
		unsigned target;
	} rows[] = {
		{ { true, 0, 600000, 2, 0 }, 2 },      { { true, 599999, 600000, 2, 0 }, 2 },
		{ { true, 600000, 600000, 2, 0 }, 0 }, { { false, 0, 600000, 2, 50 }, 0 },
		{ { true, 0, 600000, 0, 50 }, 0 },     { { true, 0, 600000, 2, 12 }, 2 },
		{ { true, 0, 600000, 2, 30 }, 5 },     { { true, 0, 600000, 2, 10000 }, 16 },
		{ { true, 0, 600000, 40, 0 }, 40 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(pool_target(&rows[i].facts), rows[i].target);
}

static void test_spares_are_kept_for_shapes_in_use_alone(void **unused)
{
	static const struct {
		struct spares_facts facts;
		unsigned target;
	} rows[] = {
		{ { false, 0, 600000, 2 }, 2 },      { { false, 599999, 600000, 2 }, 2 },
		{ { false, 600000, 600000, 2 }, 0 }, { { true, 0, 600000, 2 }, 0 },
		{ { false, 0, 600000, 0 }, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(spares_target(&rows[i].facts), rows[i].target);
}

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

static void test_a_route_follows_the_state(void **unused)
{
	static const struct {
		enum vm_state state;
		bool auto_resume, starting;
		enum route_state route;
	} rows[] = {
		{ VM_PENDING, true, true, ROUTE_WAITING },
		{ VM_RUNNING, false, false, ROUTE_OPEN },
		{ VM_SUSPENDING, true, false, ROUTE_WAITING },
		{ VM_SUSPENDED, true, false, ROUTE_SLEEPING },
		{ VM_SUSPENDED, false, false, ROUTE_DEAD },
		{ VM_SUSPENDED, false, true, ROUTE_WAITING },
		{ VM_TERMINATING, true, false, ROUTE_DEAD },
		{ VM_TERMINATED, true, false, ROUTE_DEAD },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct microvm vm = { .state = rows[i].state,
					    .starting = rows[i].starting,
					    .idle = { true, 1, 1, rows[i].auto_resume } };

		assert_int_equal(routes_state(&vm), rows[i].route);
	}
}

static void test_what_ran_before_is_taken_over_truly(void **unused)
{
	static const struct {
		struct adopt_facts facts; /* state, found, run_hook, draft, saved */
		enum adopt_do what;
	} rows[] = {
		{ { VM_PENDING, FOUND_NOTHING, false, false, false }, ADOPT_RESTART },
		{ { VM_PENDING, FOUND_PAUSED, true, false, false }, ADOPT_IDENTIFY },
		{ { VM_PENDING, FOUND_RUNNING, false, false, false }, ADOPT_IDENTIFY },
		{ { VM_PENDING, FOUND_RUNNING, true, false, false }, ADOPT_RESTART },
		{ { VM_RUNNING, FOUND_RUNNING, false, false, false }, ADOPT_KEEP },
		{ { VM_RUNNING, FOUND_PAUSED, false, false, false }, ADOPT_CONTINUE },
		{ { VM_RUNNING, FOUND_NOTHING, false, false, false }, ADOPT_LOST },
		{ { VM_SUSPENDING, FOUND_RUNNING, false, false, false }, ADOPT_SAVE },
		{ { VM_SUSPENDING, FOUND_PAUSED, false, false, false }, ADOPT_SAVE },
		{ { VM_SUSPENDING, FOUND_NOTHING, false, false, true }, ADOPT_SAVED },
		{ { VM_SUSPENDING, FOUND_NOTHING, false, false, false }, ADOPT_LOST },
		{ { VM_SUSPENDING, FOUND_NOTHING, false, true, false }, ADOPT_PUBLISH },
		{ { VM_SUSPENDING, FOUND_PAUSED, false, true, false }, ADOPT_SAVE },
		{ { VM_SUSPENDED, FOUND_NOTHING, false, false, false }, ADOPT_KEEP },
		{ { VM_TERMINATING, FOUND_RUNNING, false, false, false }, ADOPT_END },
		{ { VM_TERMINATING, FOUND_NOTHING, false, false, false }, ADOPT_END },
		{ { VM_TERMINATED, FOUND_NOTHING, false, false, false }, ADOPT_KEEP },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(adopt_decide(&rows[i].facts), rows[i].what);
}

#define ADVICE " Please check your hook endpoint and application logs for more details."

static void test_a_failed_hook_says_what_to_look_at(void **unused)
{
	static const struct {
		enum hook hook;
		enum agent_outcome outcome;
		unsigned status;
		const char *says;
	} rows[] = {
		{ HOOK_RUN, OUTCOME_STATUS, 200, NULL },
		{ HOOK_RUN, OUTCOME_STATUS, 400,
		  "Run lifecycle hook returned HTTP status 400." ADVICE },
		{ HOOK_SUSPEND, OUTCOME_STATUS, 204,
		  "Suspend lifecycle hook returned HTTP status 204." ADVICE },
		{ HOOK_RESUME, OUTCOME_TIMEOUT, 0,
		  "Resume lifecycle hook timed out after 2 seconds." ADVICE },
		{ HOOK_TERMINATE, OUTCOME_REFUSED, 0,
		  "Terminate lifecycle hook was refused: nothing listens on port 9000." ADVICE },
		{ HOOK_RUN, OUTCOME_GARBAGE, 0,
		  "Run lifecycle hook returned no HTTP response." ADVICE },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *says =
			hook_failure(rows[i].hook, rows[i].outcome, rows[i].status, 2000, 9000);

		if (rows[i].says)
			assert_string_equal(says, rows[i].says);
		else
			assert_null(says);
		free(says);
	}
}

static void test_a_warm_request_is_found_by_its_image(void **unused)
{
	const char *conf = "api=5000:/health?a=1, hello=8080:/,bad=0:/,worse=80:x";
	char path[64];
	uint16_t port = 0;

	(void)unused;
	assert_true(prewarm_find_request(conf, "hello", &port, path, sizeof(path)));
	assert_int_equal(port, 8080);
	assert_string_equal(path, "/");
	assert_true(prewarm_find_request(conf, "api", &port, path, sizeof(path)));
	assert_string_equal(path, "/health?a=1");
	assert_false(prewarm_find_request(conf, "hell", &port, path, sizeof(path)));
	assert_false(prewarm_find_request(conf, "bad", &port, path, sizeof(path)));
	assert_false(prewarm_find_request(conf, "worse", &port, path, sizeof(path)));
	assert_false(prewarm_find_request("", "hello", &port, path, sizeof(path)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_does_to_a_microvm_what_its_row_says),
		cmocka_unit_test(test_a_step_of_the_wall_clock_ends_nothing),
		cmocka_unit_test(test_a_time_that_lies_ahead_is_now),
		cmocka_unit_test(test_room_is_what_the_host_can_spare),
		cmocka_unit_test(test_the_pool_starts_when_nobody_waits),
		cmocka_unit_test(test_a_pool_follows_demand),
		cmocka_unit_test(test_spares_are_kept_for_shapes_in_use_alone),
		cmocka_unit_test(test_a_row_of_before_there_were_two_engines_is_of_qemu),
		cmocka_unit_test(test_a_version_that_needs_kvm_runs_only_where_it_is),
		cmocka_unit_test(test_a_route_follows_the_state),
		cmocka_unit_test(test_what_ran_before_is_taken_over_truly),
		cmocka_unit_test(test_a_failed_hook_says_what_to_look_at),
		cmocka_unit_test(test_a_warm_request_is_found_by_its_image),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
