/* The life of a microVM: every step we promise, no step we do not, and none before it is durable.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/microvm/waiters.h"
#include "lifecycle_world.h"

static const struct {
	enum vm_state from;
	enum vm_event event;
	const char *enter;
	enum vm_state to;
} promised[] = {
	{ VM_PENDING, EV_STARTED, "on_enter_running", VM_RUNNING },
	{ VM_PENDING, EV_TERMINATE, "on_enter_terminating", VM_TERMINATING },
	{ VM_PENDING, EV_EXITED, "on_enter_terminated", VM_TERMINATED },
	{ VM_RUNNING, EV_SUSPEND, "on_enter_suspending", VM_SUSPENDING },
	{ VM_RUNNING, EV_TERMINATE, "on_enter_terminating", VM_TERMINATING },
	{ VM_RUNNING, EV_EXITED, "on_enter_terminated", VM_TERMINATED },
	{ VM_SUSPENDING, EV_SAVED, "on_enter_suspended", VM_SUSPENDED },
	{ VM_SUSPENDING, EV_UNSAVED, "on_suspend_failed", VM_RUNNING },
	{ VM_SUSPENDING, EV_TERMINATE, "on_enter_terminating", VM_TERMINATING },
	{ VM_SUSPENDING, EV_EXITED, "on_enter_terminated", VM_TERMINATED },
	{ VM_SUSPENDED, EV_RESUME, "on_resume", VM_SUSPENDED },
	{ VM_SUSPENDED, EV_RESUMED, "on_enter_running", VM_RUNNING },
	{ VM_SUSPENDED, EV_EXITED, "on_resume_lost", VM_SUSPENDED },
	{ VM_SUSPENDED, EV_TERMINATE, "on_enter_terminating", VM_TERMINATING },
	{ VM_TERMINATING, EV_EXITED, "on_enter_terminated", VM_TERMINATED },
};

static void test_promised_steps_are_taken_once_they_are_durable(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(promised); i++) {
		struct microvm *vm = microvm(promised[i].from);
		struct err e;

		assert_int_equal(lifecycle_step(vm, promised[i].event, "why", &e), 0);
		if (promised[i].to != promised[i].from) {
			assert_null(did);
			assert_int_equal(vm->state, promised[i].from);
			assert_int_equal(store.state, promised[i].to);
			answer(0);
		}
		assert_int_equal(vm->state, promised[i].to);
		assert_string_equal(did, promised[i].enter);
		assert_int_equal(did_from, promised[i].from);
		lifecycle_free(vm);
	}
}

static void test_all_other_steps_are_refused(void **unused)
{
	size_t refused = 0, all = (size_t)VM_NUM_STATES * VM_NUM_EVENTS;

	(void)unused;
	for (int s = 0; s < VM_NUM_STATES; s++)
		for (int ev = 0; ev < VM_NUM_EVENTS; ev++) {
			struct microvm *vm = microvm((enum vm_state)s);
			struct err e;

			if (lifecycle_step(vm, (enum vm_event)ev, NULL, &e)) {
				assert_int_equal(e.kind, ERR_CONFLICT);
				assert_int_equal(vm->state, s);
				assert_int_equal(store.commits, 0);
				refused++;
			}
			lifecycle_free(vm);
		}
	assert_int_equal(refused, all - ARRAY_SIZE(promised));
}

static void test_a_suspend_that_cannot_be_written_is_refused(void **unused)
{
	struct microvm *vm = microvm(VM_RUNNING);

	(void)unused;
	lifecycle_event(vm, EV_SUSPEND, NULL);
	answer(-1);
	assert_int_equal(vm->state, VM_RUNNING);
	assert_string_equal(did, "on_step_refused");
	lifecycle_tick(vm);
	assert_int_equal(store.commits, 1);
	lifecycle_free(vm);
}

static void test_a_terminate_that_cannot_be_written_is_refused(void **unused)
{
	struct microvm *vm = microvm(VM_SUSPENDING);

	(void)unused;
	lifecycle_event_durable(vm, EV_UNSAVED, NULL); /* of another step */
	answer(0);
	lifecycle_event(vm, EV_TERMINATE, "Success.");
	answer(-1);
	assert_int_equal(vm->state, VM_RUNNING);
	assert_string_equal(did, "on_step_refused");
	lifecycle_event_durable(vm, EV_TERMINATE, "A hook failed.");
	answer(-1);
	lifecycle_tick(vm);
	answer(0);
	assert_int_equal(vm->state, VM_TERMINATING);
	assert_string_equal(vm->reason, "A hook failed.");
	lifecycle_free(vm);
}

static void test_a_death_is_written_until_it_is_durable(void **unused)
{
	struct microvm *vm = microvm(VM_RUNNING);

	(void)unused;
	lifecycle_event_durable(vm, EV_EXITED, "It died.");
	answer(-1);
	assert_int_equal(vm->state, VM_RUNNING);
	assert_null(did);
	lifecycle_tick(vm);
	assert_string_equal(store.reason, "It died.");
	answer(0);
	assert_int_equal(vm->state, VM_TERMINATED);
	assert_string_equal(vm->reason, "It died.");
	assert_string_equal(did, "on_enter_terminated");
	assert_string_equal(vm->machine_id, "");
	lifecycle_free(vm);
}

static void test_what_happens_meanwhile_follows_the_gravest_first(void **unused)
{
	struct microvm *vm = microvm(VM_RUNNING);

	(void)unused;
	lifecycle_event(vm, EV_SUSPEND, NULL);
	lifecycle_event(vm, EV_TERMINATE, "Success.");
	lifecycle_event(vm, EV_EXITED, "It died.");
	assert_int_equal(store.commits, 1);
	answer(0);
	assert_string_equal(did, "on_enter_suspending");
	assert_int_equal(store.state, VM_TERMINATED);
	answer(0);
	assert_int_equal(vm->state, VM_TERMINATED);
	assert_string_equal(did, "on_enter_terminated");
	assert_int_equal(store.commits, 2); /* the terminate has no step any more */
	lifecycle_free(vm);
}

static void test_a_reason_belongs_to_its_event_alone(void **unused)
{
	struct microvm *vm = microvm(VM_RUNNING);

	(void)unused;
	lifecycle_event(vm, EV_SUSPEND, "nobody reads this");
	answer(0);
	lifecycle_event_durable(vm, EV_UNSAVED, "nor this");
	answer(0);
	assert_null(vm->reason);
	lifecycle_event(vm, EV_TERMINATE, "Success.");
	answer(-1); /* refused: its reason goes with it */
	lifecycle_event_durable(vm, EV_EXITED, "It died.");
	answer(0);
	assert_string_equal(vm->reason, "It died.");
	lifecycle_free(vm);
}

static void test_a_terminate_that_had_to_be_taken_may_be_refused_the_next_time(void **unused)
{
	struct microvm *vm = microvm(VM_RUNNING);

	(void)unused;
	lifecycle_event_durable(vm, EV_SUSPEND, NULL); /* taken */
	answer(0);
	lifecycle_event_durable(vm, EV_UNSAVED, NULL);
	answer(0);
	assert_int_equal(vm->lifecycle->durable_events, 0);
	lifecycle_event(vm, EV_TERMINATE, "Success.");
	answer(-1);
	assert_int_equal(vm->lifecycle->pending_events, 0);
	assert_string_equal(did, "on_step_refused");
	lifecycle_free(vm);
}

static void test_a_row_that_is_older_than_a_failed_save_is_written_when_there_is_room(void **unused)
{
	struct microvm *vm = microvm(VM_RUNNING);
	int commits;

	(void)unused;
	lifecycle_event_durable(vm, EV_SUSPEND, NULL);
	answer(0);
	lifecycle_event_durable(vm, EV_UNSAVED, NULL);
	answer(-1);
	assert_int_equal(vm->state, VM_RUNNING);
	lifecycle_tick(vm);
	answer(-1);
	commits = store.commits;
	lifecycle_tick(vm);
	assert_int_equal(store.commits, commits + 1);
	lifecycle_event_durable(vm, EV_EXITED, "It died."); /* while the row is on its way */
	assert_int_equal(store.state, VM_RUNNING);
	answer(0);
	assert_int_equal(store.state, VM_TERMINATED);
	answer(0);
	lifecycle_tick(vm);
	assert_int_equal(store.commits, commits + 2);
	lifecycle_free(vm);
}

static void test_a_resume_that_is_not_durable_goes_with_its_machine(void **unused)
{
	struct microvm *vm = microvm(VM_SUSPENDED);

	(void)unused;
	lifecycle_event_durable(vm, EV_RESUMED, NULL);
	lifecycle_event_durable(vm, EV_EXITED, "It died."); /* while the row is on its way */
	answer(-1);
	lifecycle_tick(vm);
	assert_string_equal(did, "on_resume_lost");
	assert_int_equal(vm->state, VM_SUSPENDED);
	lifecycle_free(vm);
}

static void test_the_first_reason_stays(void **unused)
{
	struct microvm *vm = microvm(VM_RUNNING);

	(void)unused;
	lifecycle_event(vm, EV_TERMINATE, "MicroVM exceeded maximum lifetime.");
	answer(0);
	lifecycle_event_durable(vm, EV_EXITED, "It died.");
	answer(0);
	assert_string_equal(vm->reason, "MicroVM exceeded maximum lifetime.");
	lifecycle_free(vm);
}

static void test_a_save_is_in_the_row_that_says_suspended(void **unused)
{
	struct microvm *vm = microvm(VM_SUSPENDING);

	(void)unused;
	vm->checkpoint = 4;
	lifecycle_of(vm)->checkpoint = 5;
	lifecycle_event(vm, EV_SAVED, NULL);
	assert_int_equal(store.save, 5);
	assert_string_equal(store.machine, "");
	answer(0);
	assert_int_equal(vm->checkpoint, 5);
	assert_true(vm->suspended_ms > 0);
	lifecycle_free(vm);
}

struct told {
	int calls, rc;
	enum err_kind kind;
};

static void tell(void *arg, int rc, const struct err *e)
{
	struct told *t = arg;

	t->calls++;
	t->rc = rc;
	if (rc)
		t->kind = e->kind;
}

/* service.md 23: what each call answers in each state, at once (calls 1) or after a step (0). */
static const struct {
	void (*call)(struct microvm *vm, change_done *done, void *arg);
	enum vm_state state;
	int calls, rc;
	enum err_kind kind;
} answers[] = {
	{ lifecycle_suspend, VM_PENDING, 1, -1, ERR_CONFLICT },
	{ lifecycle_suspend, VM_RUNNING, 0, 0, 0 },
	{ lifecycle_suspend, VM_SUSPENDING, 0, 0, 0 },
	{ lifecycle_suspend, VM_SUSPENDED, 1, 0, 0 },
	{ lifecycle_suspend, VM_TERMINATING, 1, -1, ERR_INVALID },
	{ lifecycle_suspend, VM_TERMINATED, 1, -1, ERR_INVALID },
	{ lifecycle_resume, VM_PENDING, 1, -1, ERR_CONFLICT },
	{ lifecycle_resume, VM_RUNNING, 1, 0, 0 },
	{ lifecycle_resume, VM_SUSPENDING, 0, 0, 0 },
	{ lifecycle_resume, VM_SUSPENDED, 0, 0, 0 },
	{ lifecycle_resume, VM_TERMINATING, 1, -1, ERR_INVALID },
	{ lifecycle_resume, VM_TERMINATED, 1, -1, ERR_INVALID },
};

static void test_calls_answer_as_the_service_does(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct microvm *vm = microvm(answers[i].state);
		struct told t = { 0 };

		answers[i].call(vm, tell, &t);
		assert_int_equal(t.calls, answers[i].calls);
		assert_int_equal(t.rc, answers[i].rc);
		if (t.rc)
			assert_int_equal(t.kind, answers[i].kind);
		waiters_notify(&vm->lifecycle->suspends, 0, NULL);
		waiters_notify(&vm->lifecycle->resumes, 0, NULL);
		lifecycle_free(vm);
	}
}

static void test_a_machine_that_has_not_said_hello_cannot_be_suspended(void **unused)
{
	struct microvm *vm = microvm(VM_RUNNING);
	struct told t = { 0 };

	(void)unused;
	lifecycle_of(vm)->adopting = true;
	lifecycle_suspend(vm, tell, &t);
	assert_int_equal(t.calls, 1);
	assert_int_equal(t.kind, ERR_CAPACITY);
	assert_int_equal(store.commits, 0);
	lifecycle_free(vm);
}

static void test_terminate_answers_everywhere(void **unused)
{
	(void)unused;
	for (int s = 0; s < VM_NUM_STATES; s++) {
		struct microvm *vm = microvm((enum vm_state)s);
		struct told t = { 0 };
		bool ends = s == VM_TERMINATING || s == VM_TERMINATED;

		lifecycle_terminate(vm, "Success.", tell, &t);
		assert_int_equal(t.calls, ends);
		if (!ends)
			assert_int_equal(store.state, VM_TERMINATING);
		if (vm->lifecycle)
			waiters_notify(&vm->lifecycle->ends, 0, NULL);
		assert_int_equal(t.rc, 0);
		lifecycle_free(vm);
	}
}

static void test_a_resume_during_a_suspend_is_remembered(void **unused)
{
	struct microvm *vm = microvm(VM_RUNNING);
	struct told t = { 0 };

	(void)unused;
	lifecycle_event(vm, EV_SUSPEND, NULL);
	lifecycle_resume(vm, tell, &t);
	assert_int_equal(t.calls, 0);
	assert_true(vm->lifecycle->wake);
	waiters_notify(&vm->lifecycle->resumes, 0, NULL);
	lifecycle_free(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_promised_steps_are_taken_once_they_are_durable),
		cmocka_unit_test(test_all_other_steps_are_refused),
		cmocka_unit_test(test_a_suspend_that_cannot_be_written_is_refused),
		cmocka_unit_test(test_a_terminate_that_cannot_be_written_is_refused),
		cmocka_unit_test(test_a_death_is_written_until_it_is_durable),
		cmocka_unit_test(test_what_happens_meanwhile_follows_the_gravest_first),
		cmocka_unit_test(test_a_reason_belongs_to_its_event_alone),
		cmocka_unit_test(
			test_a_terminate_that_had_to_be_taken_may_be_refused_the_next_time),
		cmocka_unit_test(
			test_a_row_that_is_older_than_a_failed_save_is_written_when_there_is_room),
		cmocka_unit_test(test_a_resume_that_is_not_durable_goes_with_its_machine),
		cmocka_unit_test(test_the_first_reason_stays),
		cmocka_unit_test(test_a_save_is_in_the_row_that_says_suspended),
		cmocka_unit_test(test_calls_answer_as_the_service_does),
		cmocka_unit_test(test_a_machine_that_has_not_said_hello_cannot_be_suspended),
		cmocka_unit_test(test_terminate_answers_everywhere),
		cmocka_unit_test(test_a_resume_during_a_suspend_is_remembered),
	};

	return cmocka_run_group_tests_name("control/microvm/lifecycle", tests, NULL, NULL);
}
