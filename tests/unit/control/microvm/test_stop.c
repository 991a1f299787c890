/* The end of a microVM: what is given back, and when. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/admission/admission.h"
#include "control/channels/routes.h"
#include "control/microvm/guest_log.h"
#include "control/microvm/guest_role.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/microvm/publish.h"
#include "control/microvm/start.h"
#include "control/microvm/waiters.h"
#include "control/pool/pool.h"
#include "control/storage/checkpoint.h"

/* The world. */
static struct {
	struct machine *ended; /* the last one */
	machine_ended *cleared;
	void *cleared_arg;
	machine_hooked *hooked;
	int exits, suspends, removed, role_ends;
	struct microvm *known;
} world;

static struct lifecycle lifecycle;
static struct image_version version;
static struct control ctl;
static struct machine machine;

struct lifecycle *lifecycle_of(struct microvm *vm)
{
	return vm->lifecycle;
}

void lifecycle_event_durable(struct microvm *vm, enum vm_event event, const char *why)
{
	(void)why;
	assert_ptr_equal(vm, world.known);
	world.exits += event == EV_EXITED;
}

struct microvm *model_microvm(struct control *c, const char *id)
{
	(void)c;
	return world.known && !strcmp(world.known->id, id) ? world.known : NULL;
}

void model_hold(struct microvm *vm, int n)
{
	vm->version->n_microvms += (unsigned)n;
}

void guest_role_end(struct microvm *vm)
{
	(void)vm;
	world.role_ends++;
}

void machine_end(struct machine *m, machine_ended *ended, void *arg)
{
	world.ended = m;
	world.cleared = ended;
	world.cleared_arg = arg;
}

void machine_hook(struct machine *m, enum hook hook, const char *body, machine_hooked *done)
{
	(void)m;
	(void)body;
	assert_int_equal(hook, HOOK_TERMINATE);
	world.hooked = done;
}

void on_suspend_asked(struct microvm *vm)
{
	(void)vm;
	world.suspends++;
}

void checkpoint_remove_all(struct microvm *vm)
{
	(void)vm;
	world.removed++;
}

void start_cancel(struct microvm *vm)
{
	vm->starting = false;
}

void suspend_free(struct microvm *vm)
{
	(void)vm;
}

void routes_push(struct microvm *vm)
{
	(void)vm;
}

void publish_end(struct microvm *vm)
{
	(void)vm;
}

void routes_gone(struct microvm *vm)
{
	(void)vm;
}

void guest_log_close(struct microvm *vm)
{
	(void)vm;
}

void guest_log_leave(struct microvm *vm)
{
	(void)vm;
}

void guest_log_remove(struct microvm *vm)
{
	(void)vm;
}

void admission_wake(struct control *c)
{
	(void)c;
}

void pool_wake(struct control *c)
{
	(void)c;
}

static struct microvm vm;

static int begin(void **unused)
{
	(void)unused;
	memset(&world, 0, sizeof(world));
	version = (struct image_version){ .n_microvms = 1 };
	machine = (struct machine){ .owner = &vm };
	vm = (struct microvm){ .ctl = &ctl,
			       .id = "microvm-1",
			       .version = &version,
			       .state = VM_TERMINATING,
			       .machine = &machine,
			       .lifecycle = &lifecycle };
	lifecycle = (struct lifecycle){ .vm = &vm };
	list_init(&lifecycle.suspends);
	list_init(&lifecycle.resumes);
	list_init(&lifecycle.ends);
	world.known = &vm;
	return 0;
}

static void test_a_microvm_has_ended_when_its_machine_is_cleared(void **unused)
{
	(void)unused;
	on_enter_terminating(&vm, VM_RUNNING);
	assert_ptr_equal(world.ended, &machine);
	assert_null(vm.machine);
	assert_int_equal(world.exits, 0);
	world.cleared(world.cleared_arg);
	assert_int_equal(world.exits, 1);
}

static void test_a_microvm_without_a_machine_has_ended_at_once(void **unused)
{
	(void)unused;
	vm.machine = NULL;
	on_enter_terminating(&vm, VM_SUSPENDED);
	assert_null(world.ended);
	assert_int_equal(world.exits, 1);
}

static void
test_a_machine_that_is_cleared_after_its_microvm_was_forgotten_harms_nobody(void **unused)
{
	(void)unused;
	on_enter_terminating(&vm, VM_RUNNING);
	on_enter_terminated(&vm, VM_TERMINATING); /* its application had ended meanwhile */
	world.known = NULL;
	memset(&vm, 0xdd, sizeof(vm));
	world.cleared(world.cleared_arg);
	assert_int_equal(world.exits, 0);
}

static void test_the_hook_is_called_only_while_the_guest_runs(void **unused)
{
	static const struct {
		enum vm_state from;
		bool called;
	} rows[] = { { VM_RUNNING, true },
		     { VM_PENDING, false },
		     { VM_SUSPENDING, false },
		     { VM_TERMINATING, false } };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin(NULL);
		version.hooks.each[HOOK_TERMINATE].enabled = true;
		on_enter_terminating(&vm, rows[i].from);
		assert_int_equal(world.hooked != NULL, rows[i].called);
		assert_int_equal(world.ended == NULL, rows[i].called);
		if (!rows[i].called) {
			world.cleared(world.cleared_arg);
			continue;
		}
		world.hooked(&machine, OUTCOME_STATUS, 500); /* it ends all the same */
		assert_ptr_equal(world.ended, &machine);
		world.cleared(world.cleared_arg);
	}
}

struct told {
	int calls, rc;
};

static void told(void *arg, int rc, const struct err *e)
{
	struct told *t = arg;

	(void)e;
	t->calls++;
	t->rc = rc;
}

static void test_an_end_answers_everybody(void **unused)
{
	struct told suspend = { 0 }, resume = { 0 }, terminate = { 0 };

	(void)unused;
	waiters_add(&lifecycle.suspends, told, &suspend);
	waiters_add(&lifecycle.resumes, told, &resume);
	waiters_add(&lifecycle.ends, told, &terminate);
	lifecycle.wake = true;
	on_enter_terminated(&vm, VM_RUNNING);
	assert_int_equal(suspend.calls + resume.calls + terminate.calls, 3);
	assert_int_equal(suspend.rc, -1);
	assert_int_equal(resume.rc, -1);
	assert_int_equal(terminate.rc, 0);
	assert_false(lifecycle.wake);
	assert_int_equal(world.removed, 1);
	assert_int_equal(world.role_ends, 1);
	assert_int_equal(version.n_microvms, 0);
}

static void test_a_suspend_that_was_asked_for_while_it_woke_begins_when_it_runs(void **unused)
{
	struct told suspend = { 0 }, resume = { 0 };

	(void)unused;
	waiters_add(&lifecycle.resumes, told, &resume);
	on_enter_running(&vm, VM_SUSPENDED);
	assert_int_equal(resume.calls, 1);
	assert_int_equal(world.suspends, 0);
	waiters_add(&lifecycle.suspends, told, &suspend);
	on_enter_running(&vm, VM_SUSPENDED);
	assert_int_equal(world.suspends, 1);
	assert_int_equal(suspend.calls, 0);
	waiters_notify(&lifecycle.suspends, 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_microvm_has_ended_when_its_machine_is_cleared, begin),
		cmocka_unit_test_setup(test_a_microvm_without_a_machine_has_ended_at_once, begin),
		cmocka_unit_test_setup(
			test_a_machine_that_is_cleared_after_its_microvm_was_forgotten_harms_nobody,
			begin),
		cmocka_unit_test_setup(test_the_hook_is_called_only_while_the_guest_runs, begin),
		cmocka_unit_test_setup(test_an_end_answers_everybody, begin),
		cmocka_unit_test_setup(
			test_a_suspend_that_was_asked_for_while_it_woke_begins_when_it_runs, begin),
	};

	return cmocka_run_group_tests_name("control/microvm/stop", tests, NULL, NULL);
}
