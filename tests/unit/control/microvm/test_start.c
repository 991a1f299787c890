/* A start: its stages in their order, and the failure of each. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "control/microvm/waiters.h"
#include "start_world.h"

static void test_a_run_goes_through_its_stages_in_order(void **unused)
{
	(void)unused;
	reach(START_OPEN);
	assert_string_equal(world.said, "memory slot template machine restore identity run");
	assert_int_equal(world.checkpoint, 0);
	assert_int_equal(world.events[EV_STARTED], 1);
	assert_false(vm.starting);
	assert_string_equal(vm.machine_id, "m-new");
	assert_string_equal(vm.boot_id, "boot");
}

static void test_a_resume_goes_through_them_from_its_checkpoint(void **unused)
{
	(void)unused;
	reach(START_OPEN);
	assert_string_equal(world.said, "memory slot template machine restore identity resume");
	assert_int_equal(world.checkpoint, 7);
	assert_int_equal(world.events[EV_RESUMED], 1);
	assert_int_equal(world.rows, 0); /* the checkpoint is the truth until it runs */
}

static void test_a_run_without_a_hook_is_open_before_its_row_is_there(void **unused)
{
	(void)unused;
	version.hooks.each[HOOK_RUN].enabled = false;
	reach(START_IDENTITY);
	answer(START_IDENTITY, NULL);
	assert_int_equal(world.opened, 1);
	assert_int_equal(world.events[EV_STARTED], 1);
}

static void test_the_hook_is_called_when_the_roles_credentials_are_there(void **unused)
{
	(void)unused;
	reach(START_ROLE);
	assert_int_equal(world.roles, 1);
	assert_null(world.hooked);
	answer(START_ROLE, NULL);
	assert_non_null(world.hooked);
}

static void test_a_start_that_is_given_up_waits_for_no_role(void **unused)
{
	(void)unused;
	reach(START_ROLE);
	start_cancel(&vm);
	assert_null(world.role_ready);
}

static void test_a_resume_without_a_hook_waits_for_its_row(void **unused)
{
	(void)unused;
	version.hooks.each[HOOK_RESUME].enabled = false;
	reach(START_IDENTITY);
	answer(START_IDENTITY, NULL);
	assert_int_equal(world.opened, 0);
	assert_int_equal(world.events[EV_RESUMED], 1);
}

static void test_what_a_run_has_already_is_left_out(void **unused)
{
	(void)unused;
	start_of(&vm)->ticket.has_memory = true;
	machine = (struct machine){ .owner = &vm, .id = "m-mine" };
	vm.machine = &machine;
	begin_start();
	answer(START_SLOT, NULL);
	answer(START_TEMPLATE, NULL);
	assert_string_equal(world.said, "slot template restore");
	assert_string_equal(vm.machine_id, "m-mine");
}

static void test_a_resume_takes_a_spare(void **unused)
{
	(void)unused;
	world.spare = &machine;
	begin_start();
	answer(START_MEMORY, NULL);
	answer(START_SLOT, NULL);
	answer(START_TEMPLATE, NULL);
	assert_string_equal(world.said, "memory slot template restore");
	assert_string_equal(vm.machine_id, "m-spare");
}

struct told {
	int calls, rc;
	enum err_kind kind;
};

static void told(void *arg, int rc, const struct err *e)
{
	struct told *t = arg;

	t->calls++;
	t->rc = rc;
	t->kind = e ? e->kind : ERR_NUM_KINDS;
}

/* A slot is never refused. */
static const enum start_stage failing[] = { START_MEMORY,  START_TEMPLATE, START_MACHINE,
					    START_RESTORE, START_IDENTITY, START_HOOK };
static const struct err failure = { ERR_CAPACITY, "it went wrong" };

static void test_a_run_ends_with_the_reason_of_any_stage(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(failing); i++) {
		begin_run(NULL);
		reach(failing[i]);
		answer(failing[i], &failure);
		assert_int_equal(world.events[EV_EXITED], 1);
		assert_non_null(
			strstr(world.why, failing[i] == START_HOOK ? "status 500" : failure.text));
		assert_false(vm.starting);
		assert_true(world.left > 0);
		/* The hook's failure is a step, which ends the machine. */
		assert_int_equal(world.ended,
				 failing[i] == START_RESTORE || failing[i] == START_IDENTITY);
		end(NULL);
	}
}

static void test_a_resume_that_fails_leaves_it_suspended(void **unused)
{
	(void)unused;
	for (size_t i = 0; failing[i] != START_HOOK; i++) {
		struct told resume = { 0 }, suspend = { 0 };

		begin_resume(NULL);
		waiters_add(&lifecycle.resumes, told, &resume);
		waiters_add(&lifecycle.suspends, told, &suspend);
		reach(failing[i]);
		answer(failing[i], &failure);
		assert_int_equal(resume.rc, -1);
		assert_int_equal(suspend.rc, 0);
		assert_int_equal(resume.calls + suspend.calls, 2);
		if (failing[i] == START_MEMORY)
			assert_int_equal(resume.kind, ERR_CAPACITY);
		for (enum vm_event event = 0; event < VM_NUM_EVENTS; event++)
			assert_int_equal(world.events[event], 0);
		assert_int_equal(world.refused, 1);
		assert_null(vm.machine);
		assert_false(vm.starting);
		on_resume(&vm, VM_SUSPENDED); /* whoever comes later tries again */
		assert_true(vm.starting);
		end(NULL);
	}
}

static void test_nothing_is_resumed_while_doze_is_being_stopped(void **unused)
{
	struct told resume = { 0 };

	(void)unused;
	ctl.draining = true;
	lifecycle.wake = true;
	waiters_add(&lifecycle.resumes, told, &resume);
	on_resume(&vm, VM_SUSPENDED);
	assert_int_equal(resume.rc, -1);
	assert_int_equal(resume.kind, ERR_CAPACITY);
	assert_string_equal(world.said, "");
	assert_false(vm.starting);
	assert_false(lifecycle.wake);
}

static void test_a_resume_hook_that_fails_terminates(void **unused)
{
	(void)unused;
	reach(START_HOOK);
	answer(START_HOOK, &failure);
	assert_int_equal(world.events[EV_TERMINATE], 1);
}

static void test_a_snapshot_that_this_host_refuses_has_a_remedy(void **unused)
{
	static const struct err refused = { ERR_CONFLICT, "Its CPU is another one" };

	(void)unused;
	reach(START_RESTORE);
	answer(START_RESTORE, &refused);
	assert_non_null(strstr(world.why, "'doze rebuild app' makes a version for this host."));
}

static void test_a_version_that_does_not_run_here_takes_no_room(void **unused)
{
	(void)unused;
	world.runs_elsewhere = true;
	begin_start();
	assert_string_equal(world.said, "");
	assert_int_equal(world.events[EV_EXITED], 1);
}

/* The machine lives until the end of its microVM is durable, and answers. */
static void test_what_comes_after_a_cancel_starts_nothing(void **unused)
{
	static const enum start_stage stages[] = { START_RESTORE, START_IDENTITY, START_HOOK };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
		begin_run(NULL);
		reach(stages[i]);
		microvm_machine_ops.exited(vm.machine, 3);
		assert_int_equal(world.events[EV_EXITED], 1);
		assert_string_equal(world.why, "Container Stopped with Exit Code: 3");
		*world.said = '\0';
		answer(stages[i], NULL);
		assert_string_equal(world.said, "");
		assert_int_equal(start_of(&vm)->stage, stages[i]);
		assert_int_equal(world.events[EV_STARTED], 0);
		end(NULL);
	}
}

static void test_a_machine_that_says_hello_twice_is_restored_once(void **unused)
{
	(void)unused;
	reach(START_RESTORE);
	microvm_machine_ops.up(vm.machine, MACHINE_EMPTY);
	assert_int_equal(start_of(&vm)->stage, START_RESTORE);
}

static void
test_an_application_that_ends_before_the_row_is_there_ends_its_machine_alone(void **unused)
{
	(void)unused;
	machine = (struct machine){ .owner = &vm };
	vm.machine = &machine;
	lifecycle.run = (struct run *)(void *)&world;
	microvm_machine_ops.exited(&machine, 3);
	assert_int_equal(world.ended, 1);
	assert_null(vm.machine);
	assert_int_equal(world.events[EV_EXITED], 0);
}

static void test_a_machine_that_ends_before_the_row_is_there_is_left_to_the_run(void **unused)
{
	(void)unused;
	machine = (struct machine){ .owner = &vm };
	vm.machine = &machine;
	lifecycle.run = (struct run *)(void *)&world;
	microvm_machine_ops.down(&machine, "It ended.");
	assert_null(vm.machine);
	assert_int_equal(world.events[EV_EXITED], 0);
}

static void test_a_machine_that_ends_is_left_to_the_suspend_that_expects_it(void **unused)
{
	(void)unused;
	for (int takes = 0; takes < 2; takes++) {
		begin(VM_SUSPENDING);
		vm.machine = &machine;
		machine = (struct machine){ .owner = &vm };
		world.suspend_takes_it = takes;
		microvm_machine_ops.down(&machine, "It ended.");
		assert_int_equal(world.events[EV_EXITED], !takes);
	}
}

static void test_a_pending_machine_that_ends_during_adoption_is_left_to_it(void **unused)
{
	(void)unused;
	ctl.adopted = false;
	vm.machine = &machine;
	machine = (struct machine){ .owner = &vm };
	microvm_machine_ops.down(&machine, "It ended.");
	assert_null(vm.machine);
	assert_int_equal(world.events[EV_EXITED], 0);
	start_again(&vm);
	assert_int_equal(world.rows, 1);
	assert_true(vm.starting);
}

#define RUN(name)    cmocka_unit_test_setup_teardown(name, begin_run, end)
#define RESUME(name) cmocka_unit_test_setup_teardown(name, begin_resume, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(test_a_run_goes_through_its_stages_in_order),
		RESUME(test_a_resume_goes_through_them_from_its_checkpoint),
		RUN(test_a_run_without_a_hook_is_open_before_its_row_is_there),
		RESUME(test_a_resume_without_a_hook_waits_for_its_row),
		RUN(test_the_hook_is_called_when_the_roles_credentials_are_there),
		RUN(test_a_start_that_is_given_up_waits_for_no_role),
		RUN(test_what_a_run_has_already_is_left_out),
		RESUME(test_a_resume_takes_a_spare),
		cmocka_unit_test(test_a_run_ends_with_the_reason_of_any_stage),
		cmocka_unit_test(test_a_resume_that_fails_leaves_it_suspended),
		RESUME(test_nothing_is_resumed_while_doze_is_being_stopped),
		RESUME(test_a_resume_hook_that_fails_terminates),
		RUN(test_a_snapshot_that_this_host_refuses_has_a_remedy),
		RUN(test_a_version_that_does_not_run_here_takes_no_room),
		cmocka_unit_test(test_what_comes_after_a_cancel_starts_nothing),
		RUN(test_a_machine_that_says_hello_twice_is_restored_once),
		RUN(test_an_application_that_ends_before_the_row_is_there_ends_its_machine_alone),
		RUN(test_a_machine_that_ends_before_the_row_is_there_is_left_to_the_run),
		cmocka_unit_test(test_a_machine_that_ends_is_left_to_the_suspend_that_expects_it),
		RUN(test_a_pending_machine_that_ends_during_adoption_is_left_to_it),
	};

	return cmocka_run_group_tests_name("control/microvm/start", tests, NULL, NULL);
}
