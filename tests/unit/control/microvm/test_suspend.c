/* A suspend: how it begins, how a restart goes on with it, and how it ends. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "control/microvm/waiters.h"
#include "suspend_world.h"

static void test_a_machine_that_ends_before_it_was_adopted_may_have_saved(void **unused)
{
	(void)unused;
	happen(MACHINE_ENDS);
	assert_int_equal(world.publishes, 1);
	happen(PUBLISH_SUCCEEDS);
	assert_int_equal(world.events[EV_SAVED], 1);
}

static void test_a_save_is_adopted_once(void **unused)
{
	(void)unused;
	reach(SUSPEND_SAVING);
	suspend_adopt(&vm);
	assert_int_equal(phase(), SUSPEND_SAVING);
	assert_int_equal(world.saves, 1);
}

static void test_a_machine_that_was_found_paused_has_answered_its_hook(void **unused)
{
	(void)unused;
	machine.run = MACHINE_PAUSED;
	suspend_adopt(&vm);
	assert_int_equal(phase(), SUSPEND_DRAFTING);
	assert_null(world.hooked);
}

static void test_a_continue_that_failed_is_asked_again_and_only_then(void **unused)
{
	(void)unused;
	reach(SUSPEND_CONTINUING);
	happen(AN_HOUR_PASSES); /* it has not answered */
	assert_int_equal(world.continues, 1);
	happen(CONTINUE_FAILS);
	happen(AN_HOUR_PASSES);
	assert_int_equal(world.continues, 2);
}

static void test_a_save_that_stands_still_is_reported_once_and_kept(void **unused)
{
	struct told suspend = { 0 };

	(void)unused;
	waiters_add(&lifecycle.suspends, told, &suspend);
	reach(SUSPEND_SAVING);
	happen(AN_HOUR_PASSES);
	assert_int_equal(suspend.calls, 1);
	assert_non_null(strstr(suspend.text, "is still being suspended"));
	waiters_add(&lifecycle.suspends, told, &suspend);
	happen(AN_HOUR_PASSES);
	assert_int_equal(suspend.calls, 1);
	happen(SAVE_SUCCEEDS);
	happen(PUBLISH_SUCCEEDS);
	on_enter_suspended(&vm, VM_SUSPENDING);
	assert_int_equal(suspend.calls, 2);
	assert_int_equal(suspend.rc, 0);
	assert_int_equal(world.ended, 1);
	assert_int_equal(world.removed_below, 1);
}

static void test_a_full_disk_says_what_to_do(void **unused)
{
	struct told suspend = { 0 }, resume = { 0 };

	(void)unused;
	waiters_add(&lifecycle.suspends, told, &suspend);
	waiters_add(&lifecycle.resumes, told, &resume);
	reach(SUSPEND_CONTINUING);
	happen(CONTINUE_SUCCEEDS);
	vm.state = VM_RUNNING;
	on_suspend_failed(&vm, VM_SUSPENDING);
	assert_int_equal(suspend.rc, -1);
	assert_non_null(strstr(suspend.text, "Free some space"));
	assert_int_equal(resume.rc, 0);
	assert_int_equal(world.releases, 1);
}

static void test_whoever_asked_for_a_resume_meanwhile_gets_it(void **unused)
{
	(void)unused;
	lifecycle.wake = true;
	vm.state = VM_SUSPENDED;
	on_enter_suspended(&vm, VM_SUSPENDING);
	assert_int_equal(world.events[EV_RESUME], 1);
}

static void test_a_suspend_that_was_refused_wakes_nobody_later(void **unused)
{
	struct told suspend = { 0 }, resume = { 0 };

	(void)unused;
	vm.state = VM_RUNNING;
	waiters_add(&lifecycle.suspends, told, &suspend);
	waiters_add(&lifecycle.resumes, told, &resume);
	lifecycle.wake = true;
	on_step_refused(&vm, EV_SUSPEND, &refused);
	assert_int_equal(suspend.rc, -1);
	assert_int_equal(resume.rc, 0);
	assert_false(lifecycle.wake);
}

/* Holding. */

static void idle(void)
{
	vm.state = VM_RUNNING;
	vm.idle = (struct idle_policy){
		.given = true, .max_idle_ms = 60000, .suspended_ms = 300000, .auto_resume = true
	};
	vm.since.last_byte_ms = world.now_ms - 60000;
}

static void test_an_idle_microvm_is_suspended_when_its_requests_are_held(void **unused)
{
	(void)unused;
	idle();
	suspend_if_idle(&vm);
	suspend_if_idle(&vm);
	assert_int_equal(phase(), SUSPEND_HOLDING);
	assert_int_equal(world.holds, 1);
	assert_int_equal(world.events[EV_SUSPEND], 0);
	suspend_on_held(&vm);
	suspend_on_held(&vm); /* a proxy that says it twice */
	assert_int_equal(world.events[EV_SUSPEND], 1);
}

static void test_a_byte_in_the_last_moment_keeps_it_awake(void **unused)
{
	(void)unused;
	idle();
	suspend_if_idle(&vm);
	vm.since.last_byte_ms = world.now_ms;
	suspend_on_held(&vm);
	assert_int_equal(phase(), SUSPEND_NONE);
	assert_int_equal(world.events[EV_SUSPEND], 0);
	assert_int_equal(world.releases, 1);
}

static void test_a_proxy_that_stays_silent_holds_up_nothing(void **unused)
{
	(void)unused;
	idle();
	suspend_if_idle(&vm);
	happen(AN_HOUR_PASSES);
	assert_int_equal(world.events[EV_SUSPEND], 1);
}

static void test_a_machine_that_has_not_said_hello_is_not_idle(void **unused)
{
	(void)unused;
	idle();
	lifecycle.adopting = true;
	suspend_if_idle(&vm);
	assert_int_equal(phase(), SUSPEND_NONE);
	assert_int_equal(world.holds, 0);
}

static void test_a_suspend_that_is_on_its_way_is_not_asked_for_again(void **unused)
{
	(void)unused;
	vm.state = VM_RUNNING;
	lifecycle.committing = true;
	lifecycle.event = EV_SUSPEND;
	on_suspend_asked(&vm);
	assert_int_equal(world.holds + world.events[EV_SUSPEND], 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_machine_that_ends_before_it_was_adopted_may_have_saved),
		TEST(test_a_save_is_adopted_once),
		TEST(test_a_machine_that_was_found_paused_has_answered_its_hook),
		TEST(test_a_continue_that_failed_is_asked_again_and_only_then),
		TEST(test_a_save_that_stands_still_is_reported_once_and_kept),
		TEST(test_a_full_disk_says_what_to_do),
		TEST(test_whoever_asked_for_a_resume_meanwhile_gets_it),
		TEST(test_a_suspend_that_was_refused_wakes_nobody_later),
		TEST(test_an_idle_microvm_is_suspended_when_its_requests_are_held),
		TEST(test_a_byte_in_the_last_moment_keeps_it_awake),
		TEST(test_a_proxy_that_stays_silent_holds_up_nothing),
		TEST(test_a_machine_that_has_not_said_hello_is_not_idle),
		TEST(test_a_suspend_that_is_on_its_way_is_not_asked_for_again),
	};

	return cmocka_run_group_tests_name("control/microvm/suspend", tests, NULL, NULL);
}
