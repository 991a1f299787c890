/* A suspend's way to disk: what every phase does with whatever can happen in it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "suspend_world.h"

#define NOTHING VM_NUM_EVENTS

/* What is not listed cannot happen: nobody was asked for it. */
static const struct {
	enum suspend_phase in;
	enum happening what;
	enum suspend_phase to;
	enum vm_event event; /* that the lifecycle is told of */
} steps[] = {
	{ SUSPEND_HOOK, HOOK_ANSWERS, SUSPEND_DRAFTING, NOTHING },
	{ SUSPEND_HOOK, HOOK_FAILS, SUSPEND_HOOK, EV_TERMINATE },
	{ SUSPEND_HOOK, SAVED_OF_BEFORE, SUSPEND_PUBLISHING, NOTHING },
	{ SUSPEND_HOOK, MACHINE_ENDS, SUSPEND_HOOK, EV_EXITED },
	{ SUSPEND_HOOK, AN_HOUR_PASSES, SUSPEND_HOOK, NOTHING },
	{ SUSPEND_DRAFTING, DRAFT_IS_MADE, SUSPEND_SAVING, NOTHING },
	{ SUSPEND_DRAFTING, DRAFT_FAILS, SUSPEND_CONTINUING, NOTHING },
	{ SUSPEND_DRAFTING, SAVED_OF_BEFORE, SUSPEND_PUBLISHING, NOTHING },
	{ SUSPEND_DRAFTING, MACHINE_ENDS, SUSPEND_PUBLISHING, NOTHING },
	{ SUSPEND_DRAFTING, AN_HOUR_PASSES, SUSPEND_DRAFTING, NOTHING },
	{ SUSPEND_SAVING, SAVE_SUCCEEDS, SUSPEND_PUBLISHING, NOTHING },
	{ SUSPEND_SAVING, SAVE_CONFLICTS, SUSPEND_FINDING, NOTHING },
	{ SUSPEND_SAVING, SAVE_FAILS, SUSPEND_CONTINUING, NOTHING },
	{ SUSPEND_SAVING, SAVED_OF_BEFORE, SUSPEND_PUBLISHING, NOTHING },
	{ SUSPEND_SAVING, MACHINE_ENDS, SUSPEND_PUBLISHING, NOTHING },
	{ SUSPEND_SAVING, AN_HOUR_PASSES, SUSPEND_SAVING, NOTHING },
	{ SUSPEND_FINDING, SAVED_OF_BEFORE, SUSPEND_PUBLISHING, NOTHING },
	{ SUSPEND_FINDING, MACHINE_ENDS, SUSPEND_PUBLISHING, NOTHING },
	{ SUSPEND_FINDING, AN_HOUR_PASSES, SUSPEND_DRAFTING, NOTHING },
	{ SUSPEND_PUBLISHING, PUBLISH_SUCCEEDS, SUSPEND_PUBLISHING, EV_SAVED },
	{ SUSPEND_PUBLISHING, PUBLISH_FAILS, SUSPEND_PUBLISHING, NOTHING },
	{ SUSPEND_PUBLISHING, PUBLISH_FINDS_NONE, SUSPEND_CONTINUING, NOTHING },
	{ SUSPEND_PUBLISHING, SAVED_OF_BEFORE, SUSPEND_PUBLISHING, NOTHING },
	{ SUSPEND_PUBLISHING, MACHINE_ENDS, SUSPEND_PUBLISHING, NOTHING },
	{ SUSPEND_PUBLISHING, AN_HOUR_PASSES, SUSPEND_PUBLISHING, NOTHING },
	{ SUSPEND_CONTINUING, CONTINUE_SUCCEEDS, SUSPEND_CONTINUING, EV_UNSAVED },
	{ SUSPEND_CONTINUING, CONTINUE_CONFLICTS, SUSPEND_FINDING, NOTHING },
	{ SUSPEND_CONTINUING, CONTINUE_FAILS, SUSPEND_CONTINUING, NOTHING },
	{ SUSPEND_CONTINUING, SAVED_OF_BEFORE, SUSPEND_PUBLISHING, NOTHING },
	{ SUSPEND_CONTINUING, MACHINE_ENDS, SUSPEND_CONTINUING, EV_EXITED },
	{ SUSPEND_CONTINUING, AN_HOUR_PASSES, SUSPEND_CONTINUING, NOTHING },
};

static void test_every_phase_answers_what_can_happen_in_it(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		begin(NULL);
		reach(steps[i].in);
		happen(steps[i].what);
		assert_int_equal(phase(), steps[i].to);
		for (enum vm_event event = 0; event < VM_NUM_EVENTS; event++)
			assert_int_equal(world.events[event], event == steps[i].event);
		end(NULL);
	}
}

static void test_a_publish_that_failed_is_tried_again_until_it_succeeds(void **unused)
{
	(void)unused;
	reach(SUSPEND_PUBLISHING);
	for (int i = 1; i <= 10; i++) {
		happen(PUBLISH_FAILS);
		assert_int_equal(world.publishes, i);
		suspend_tick(&vm, world.now_ms); /* not at once */
		assert_int_equal(world.publishes, i);
		world.now_ms += 30000;
		suspend_tick(&vm, world.now_ms);
	}
	assert_int_equal(world.dropped, 0);
	happen(PUBLISH_SUCCEEDS);
	assert_int_equal(world.events[EV_SAVED], 1);
	assert_int_equal(lifecycle.checkpoint, 5);
}

static void test_a_publish_waits_for_the_one_that_is_under_way(void **unused)
{
	(void)unused;
	reach(SUSPEND_PUBLISHING);
	suspend_publish(&vm);
	suspend_adopt(&vm);
	happen(AN_HOUR_PASSES);
	assert_int_equal(world.publishes, 1);
}

static void test_nothing_of_an_earlier_suspend_is_published(void **unused)
{
	(void)unused;
	/* Adoption finds that the machine has written all and ended. */
	vm.machine = NULL;
	suspend_publish(&vm);
	assert_int_equal(world.above, 3);
	happen(PUBLISH_FINDS_NONE);
	assert_int_equal(world.events[EV_EXITED], 1);
}

static void test_a_draft_that_a_machine_refused_is_no_part_of_the_next_suspend(void **unused)
{
	(void)unused;
	reach(SUSPEND_CONTINUING);
	assert_int_equal(world.dropped, 1);
	vm.state = VM_RUNNING;
	on_suspend_failed(&vm, VM_SUSPENDING);
	vm.state = VM_SUSPENDING;
	reach(SUSPEND_PUBLISHING);
	assert_int_equal(world.above, 5);
}

static void test_a_draft_that_could_not_be_made_takes_nobody_elses_with_it(void **unused)
{
	(void)unused;
	reach(SUSPEND_DRAFTING);
	happen(DRAFT_FAILS);
	assert_int_equal(world.dropped, 0);
	assert_int_equal(world.continues, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_phase_answers_what_can_happen_in_it),
		TEST(test_a_publish_that_failed_is_tried_again_until_it_succeeds),
		TEST(test_a_publish_waits_for_the_one_that_is_under_way),
		TEST(test_nothing_of_an_earlier_suspend_is_published),
		TEST(test_a_draft_that_a_machine_refused_is_no_part_of_the_next_suspend),
		TEST(test_a_draft_that_could_not_be_made_takes_nobody_elses_with_it),
	};

	return cmocka_run_group_tests_name("control/microvm/save", tests, NULL, NULL);
}
