/* A drain: each microVM is tried once, a few at a time, and it ends when nothing moves. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/microvm/drain.h"
#include "control/microvm/lifecycle.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/microvm/suspend.h"
#include "control/model/model.h"
#include "control/pool/pool.h"

#define N 6

const char *const vm_state_name[VM_NUM_STATES] = { "PENDING",   "RUNNING",     "SUSPENDING",
						   "SUSPENDED", "TERMINATING", "TERMINATED" };

/* The loop: one timer, whose ticks are the test's. */
static uv_timer_cb tick;
static uv_timer_t *timer;

int uv_timer_init(uv_loop_t *loop, uv_timer_t *t)
{
	t->loop = loop;
	return 0;
}

int uv_timer_start(uv_timer_t *t, uv_timer_cb cb, uint64_t timeout_ms, uint64_t repeat_ms)
{
	(void)timeout_ms;
	(void)repeat_ms;
	timer = t;
	tick = cb;
	return 0;
}

void uv_close(uv_handle_t *handle, uv_close_cb closed)
{
	assert_ptr_equal(handle, timer);
	timer = NULL;
	closed(handle);
}

/* The world. */
static struct control ctl;
static struct microvm vms[N];
static struct lifecycle lifecycles[N];
static int suspends;
static bool refuses;

struct lifecycle *lifecycle_of(struct microvm *vm)
{
	return vm->lifecycle;
}

void lifecycle_suspend(struct microvm *vm, change_done *done, void *arg)
{
	assert_null(done);
	assert_null(arg);
	suspends++;
	if (!refuses)
		vm->state = VM_SUSPENDING;
}

struct suspend_progress suspend_progress(const struct microvm *vm)
{
	struct suspend_progress none = { 0 }, half = { "saving", 50, 100, NULL };

	return vm->state == VM_SUSPENDING ? half : none;
}

void pool_wake(struct control *c)
{
	(void)c;
}

static struct {
	int calls;
	unsigned suspended, failed;
} answer;

static void drained(void *arg, unsigned suspended, unsigned failed)
{
	assert_ptr_equal(arg, &answer);
	answer.calls++;
	answer.suspended = suspended;
	answer.failed = failed;
}

static void microvms(size_t n, enum vm_state state)
{
	list_init(&ctl.microvms);
	for (size_t i = 0; i < n; i++) {
		lifecycles[i] = (struct lifecycle){ .vm = &vms[i] };
		vms[i] = (struct microvm){
			.ctl = &ctl, .id = "microvm-1", .state = state, .lifecycle = &lifecycles[i]
		};
		list_add(&ctl.microvms, &vms[i].in_control);
	}
}

static int begin(void **unused)
{
	(void)unused;
	ctl = (struct control){ .adopted = true };
	ctl.loop.data = &ctl;
	suspends = 0;
	refuses = false;
	memset(&answer, 0, sizeof(answer));
	return 0;
}

static unsigned in_state(enum vm_state state)
{
	unsigned n = 0;

	list_each(vm, &ctl.microvms, struct microvm, in_control) n += vm->state == state;
	return n;
}

static void test_a_few_are_suspended_at_a_time(void **unused)
{
	(void)unused;
	microvms(N, VM_RUNNING);
	drain_start(&ctl, drained, &answer);
	assert_true(ctl.draining);
	tick(timer);
	tick(timer);
	assert_int_equal(in_state(VM_SUSPENDING), 4);
	vms[1].state = VM_SUSPENDED;
	tick(timer);
	assert_int_equal(in_state(VM_SUSPENDING), 4);
	assert_int_equal(suspends, 5);
	for (size_t i = 0; i < N; i++)
		vms[i].state = vms[i].state == VM_SUSPENDING ? VM_SUSPENDED : vms[i].state;
	tick(timer);
	assert_int_equal(answer.calls, 0); /* the sixth is under way */
	vms[N - 1].state = VM_SUSPENDED;
	tick(timer);
	assert_int_equal(answer.calls, 1);
	assert_int_equal(answer.suspended, N);
	assert_int_equal(answer.failed, 0);
	assert_null(timer);
	assert_false(ctl.draining);
}

static void test_one_that_cannot_be_saved_is_tried_once(void **unused)
{
	(void)unused;
	microvms(2, VM_RUNNING);
	drain_start(&ctl, drained, &answer);
	tick(timer);
	vms[0].state = VM_SUSPENDED;
	vms[1].state = VM_RUNNING; /* again */
	tick(timer);
	assert_int_equal(suspends, 2);
	assert_int_equal(answer.suspended, 1);
	assert_int_equal(answer.failed, 1);
}

static void test_one_that_refuses_ends_the_drain_at_once(void **unused)
{
	(void)unused;
	microvms(N, VM_RUNNING);
	refuses = true;
	drain_start(&ctl, drained, &answer);
	tick(timer);
	while (timer)
		tick(timer);
	assert_int_equal(suspends, N);
	assert_int_equal(answer.failed, N);
}

/* What a drain waits for: what ends by itself, and then what comes of it. */
static void test_a_drain_lasts_as_long_as_something_moves(void **unused)
{
	static const struct {
		enum vm_state state;
		bool starting, committing, ends;
	} rows[] = {
		{ VM_PENDING, false, false, false },    { VM_RUNNING, false, true, false },
		{ VM_SUSPENDING, false, false, false }, { VM_SUSPENDED, true, false, false },
		{ VM_SUSPENDED, false, true, false },   { VM_TERMINATING, false, false, false },
		{ VM_SUSPENDED, false, false, true },   { VM_TERMINATED, false, false, true },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin(NULL);
		microvms(1, rows[i].state);
		vms[0].starting = rows[i].starting;
		lifecycles[0].committing = rows[i].committing;
		drain_start(&ctl, drained, &answer);
		tick(timer);
		assert_int_equal(answer.calls, rows[i].ends);
		vms[0].state = VM_SUSPENDED;
		vms[0].starting = lifecycles[0].committing = false;
		if (timer)
			tick(timer);
		assert_int_equal(answer.calls, 1);
		assert_int_equal(answer.suspended, 0); /* it was not the drain's work */
	}
}

static void test_one_that_starts_meanwhile_is_suspended_too(void **unused)
{
	(void)unused;
	microvms(1, VM_PENDING);
	drain_start(&ctl, drained, &answer);
	tick(timer);
	vms[0].state = VM_RUNNING;
	tick(timer);
	assert_int_equal(vms[0].state, VM_SUSPENDING);
	vms[0].state = VM_SUSPENDED;
	tick(timer);
	assert_int_equal(answer.suspended, 1);
}

static void test_a_drain_answers_everybody_who_asked(void **unused)
{
	(void)unused;
	microvms(1, VM_RUNNING);
	drain_start(&ctl, drained, &answer);
	tick(timer);
	drain_start(&ctl, drained, &answer);
	vms[0].state = VM_SUSPENDED;
	tick(timer);
	assert_int_equal(answer.calls, 2);
	assert_int_equal(suspends, 1);
}

static void test_the_next_drain_tries_them_again(void **unused)
{
	(void)unused;
	microvms(1, VM_RUNNING);
	refuses = true;
	for (int i = 1; i <= 2; i++) {
		drain_start(&ctl, drained, &answer);
		tick(timer);
		assert_int_equal(suspends, i);
		assert_int_equal(answer.calls, i);
	}
}

static void test_a_control_that_ends_lets_nothing_start_afterwards(void **unused)
{
	(void)unused;
	microvms(0, VM_RUNNING);
	ctl.ending = true;
	drain_start(&ctl, drained, &answer);
	tick(timer);
	assert_int_equal(answer.calls, 1);
	assert_true(ctl.draining);
}

static void test_the_progress_says_what_remains(void **unused)
{
	json_t *progress, *item;
	uint64_t bytes;

	(void)unused;
	microvms(3, VM_RUNNING);
	vms[0].state = VM_SUSPENDED;
	drain_start(&ctl, drained, &answer);
	tick(timer);
	progress = drain_progress(&ctl);
	bytes = drain_bytes(&ctl);
	assert_true(json_is_true(json_object_get(progress, "draining")));
	assert_int_equal(json_integer_value(json_object_get(progress, "remaining")), 2);
	assert_int_equal(json_array_size(json_object_get(progress, "items")), 2);
	item = json_array_get(json_object_get(progress, "items"), 0);
	assert_string_equal(json_string_value(json_object_get(item, "phase")), "saving");
	assert_int_equal(json_integer_value(json_object_get(item, "bytesTotal")), 100);
	assert_int_equal(bytes, 101);
	json_decref(progress);
	vms[1].state = vms[2].state = VM_SUSPENDED;
	tick(timer);
	assert_int_equal(answer.suspended, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_few_are_suspended_at_a_time, begin),
		cmocka_unit_test_setup(test_one_that_cannot_be_saved_is_tried_once, begin),
		cmocka_unit_test_setup(test_one_that_refuses_ends_the_drain_at_once, begin),
		cmocka_unit_test(test_a_drain_lasts_as_long_as_something_moves),
		cmocka_unit_test_setup(test_one_that_starts_meanwhile_is_suspended_too, begin),
		cmocka_unit_test_setup(test_a_drain_answers_everybody_who_asked, begin),
		cmocka_unit_test_setup(test_the_next_drain_tries_them_again, begin),
		cmocka_unit_test_setup(test_a_control_that_ends_lets_nothing_start_afterwards,
				       begin),
		cmocka_unit_test_setup(test_the_progress_says_what_remains, begin),
	};

	return cmocka_run_group_tests_name("control/microvm/drain", tests, NULL, NULL);
}
