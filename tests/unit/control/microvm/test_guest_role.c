/* The credentials of a microVM's role: when they are asked for, and what happens to them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/microvm/guest_role.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/microvm/metadata.h"

#define ARN  "arn:aws:iam::000000000000:role/app"
#define HOUR 3600000

static struct {
	int asks, pushes, ready, drops;
	credentials_given *given;
	bool at_once, unknown;
} world;
static struct lifecycle lifecycle;
static struct control ctl;
static struct machine machine;
static struct microvm vm;
static char params[] = "{\"executionRoleArn\":\"" ARN "\"}";

struct lifecycle *lifecycle_of(struct microvm *of)
{
	return of->lifecycle;
}

struct microvm *model_microvm(struct control *c, const char *id)
{
	(void)c;
	return strcmp(vm.id, id) ? NULL : &vm;
}

json_t *model_params(const struct microvm *of)
{
	return json_loads(of->params, 0, NULL);
}

void metadata_push(const struct microvm *of, const char *credentials, const struct buf *more)
{
	(void)more;
	assert_ptr_equal(credentials, guest_role_text(of));
	assert_ptr_equal(of, &vm);
	world.pushes++;
}

static void give(int64_t lasts_ms)
{
	const struct credentials c = { "ASIAONE", "secret", "token", clock_wall_ms() + lasts_ms,
				       NULL };

	world.given(&ctl, "microvm-1", &c, NULL);
}

static void fail_asking(void)
{
	const struct err e = { ERR_INVALID, "no" };

	world.given(&ctl, "microvm-1", NULL, &e);
}

static bool known(struct control *c, const char *account, const char *arn)
{
	(void)c;
	assert_string_equal(account, "000000000000");
	return !world.unknown && !strcmp(arn, ARN);
}

static void ask(struct control *c, const struct microvm *of, const char *arn,
		credentials_given *given)
{
	(void)c;
	(void)of;
	assert_string_equal(arn, ARN);
	world.asks++;
	world.given = given;
	if (world.at_once)
		give(HOUR);
}

static void drop(struct control *c, const struct microvm *of)
{
	(void)c;
	(void)of;
	world.drops++;
}

static const struct guest_role_ops ops = { known, ask, drop };

static void ready(struct microvm *of)
{
	(void)of;
	world.ready++;
}

static int begin(void **unused)
{
	(void)unused;
	log_init("test", LOG_LEVEL_ERR);
	memset(&world, 0, sizeof(world));
	lifecycle = (struct lifecycle){ .vm = &vm };
	ctl = (struct control){ .guest_role_ops = &ops };
	vm = (struct microvm){ .ctl = &ctl,
			       .id = "microvm-1",
			       .account = "000000000000",
			       .params = params,
			       .state = VM_RUNNING,
			       .machine = &machine,
			       .lifecycle = &lifecycle };
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	guest_role_free(&vm);
	return 0;
}

static void test_a_start_waits_for_them_and_the_guest_gets_them(void **unused)
{
	(void)unused;
	guest_role_begin(&vm);
	assert_int_equal(world.pushes, 1); /* what else there is need not wait */
	assert_null(guest_role_text(&vm));
	guest_role_wait(&vm, ready);
	assert_int_equal(world.ready, 0);
	give(HOUR);
	assert_int_equal(world.ready, 1);
	assert_int_equal(world.pushes, 2);
	assert_non_null(strstr(guest_role_text(&vm), "\"AccessKeyId\": \"ASIAONE\""));
	assert_non_null(strstr(guest_role_text(&vm), "\"Code\": \"Success\""));
}

static void test_those_that_come_at_once_are_given_with_all_else(void **unused)
{
	(void)unused;
	world.at_once = true;
	guest_role_begin(&vm);
	assert_int_equal(world.pushes, 1);
	assert_non_null(guest_role_text(&vm));
	guest_role_wait(&vm, ready);
	assert_int_equal(world.ready, 1);
}

static void test_without_a_known_role_nobody_is_asked(void **unused)
{
	static char none[] = "{}";

	(void)unused;
	world.unknown = true;
	guest_role_begin(&vm);
	world.unknown = false;
	vm.params = none;
	guest_role_begin(&vm);
	guest_role_wait(&vm, ready);
	assert_int_equal(world.asks, 0);
	assert_int_equal(world.pushes, 2);
	assert_int_equal(world.ready, 1);
}

static void test_a_start_waits_for_a_while_and_goes_on_without_them(void **unused)
{
	(void)unused;
	guest_role_begin(&vm);
	guest_role_wait(&vm, ready);
	guest_role_tick(&vm, clock_boot_ms());
	assert_int_equal(world.ready, 0);
	guest_role_tick(&vm, clock_boot_ms() + 5000);
	assert_int_equal(world.ready, 1);
	give(HOUR); /* late is better than never */
	assert_int_equal(world.ready, 1);
	assert_int_equal(world.pushes, 2);
}

static void test_a_failure_is_tried_again_later_each_time(void **unused)
{
	int64_t now = clock_boot_ms();

	(void)unused;
	guest_role_begin(&vm);
	guest_role_wait(&vm, ready);
	fail_asking();
	assert_int_equal(world.ready, 1);
	guest_role_tick(&vm, now);
	assert_int_equal(world.asks, 1);
	guest_role_tick(&vm, now + 2000);
	assert_int_equal(world.asks, 2);
	for (int i = 0; i < 10; i++) {
		fail_asking();
		guest_role_tick(&vm, now + HOUR);
	}
	fail_asking();
	guest_role_tick(&vm, clock_boot_ms() + 50000);
	assert_int_equal(world.asks, 12);
	guest_role_tick(&vm, clock_boot_ms() + 61000);
	assert_int_equal(world.asks, 13);
}

static void test_they_are_renewed_before_they_end_and_not_earlier(void **unused)
{
	(void)unused;
	world.at_once = true;
	guest_role_begin(&vm);
	guest_role_tick(&vm, clock_boot_ms());
	assert_int_equal(world.asks, 1);
	world.at_once = false;
	give(1); /* half of its time is over soon */
	while (world.asks == 1)
		guest_role_tick(&vm, clock_boot_ms());
	give(HOUR);
	guest_role_tick(&vm, clock_boot_ms());
	assert_int_equal(world.asks, 2);
}

static void test_what_has_ended_is_taken_from_the_guest(void **unused)
{
	int pushes;

	(void)unused;
	guest_role_begin(&vm);
	give(-1);
	pushes = world.pushes;
	guest_role_tick(&vm, clock_boot_ms());
	assert_null(guest_role_text(&vm));
	assert_int_equal(world.pushes, pushes + 1);
}

static void test_a_resume_asks_anew_unless_they_are_young(void **unused)
{
	(void)unused;
	guest_role_begin(&vm);
	give(HOUR);
	guest_role_begin(&vm);
	assert_int_equal(world.asks, 1);
	give(HOUR / 2);
	guest_role_begin(&vm);
	assert_int_equal(world.asks, 2);
	assert_null(guest_role_text(&vm));
	give(HOUR);
	guest_role_sleep(&vm);
	assert_null(guest_role_text(&vm));
	guest_role_begin(&vm);
	assert_int_equal(world.asks, 3);
}

static void test_an_answer_to_a_start_that_failed_waits_for_a_guest(void **unused)
{
	(void)unused;
	guest_role_begin(&vm);
	strcpy(vm.machine_id, "m-next");
	vm.starting = true;
	vm.state = VM_SUSPENDED;
	give(HOUR);
	assert_int_equal(world.pushes, 1);
	guest_role_begin(&vm);
	give(HOUR);
	assert_int_equal(world.pushes, 3);
	vm.starting = false;
	vm.state = VM_SUSPENDING; /* it may be paused, and runs on only if it cannot be saved */
	guest_role_sleep(&vm);
	guest_role_begin(&vm);
	give(HOUR);
	assert_int_equal(world.pushes, 4);
	vm.state = VM_RUNNING;
	guest_role_tick(&vm, clock_boot_ms());
	assert_int_equal(world.asks, 4);
}

static void test_a_new_control_asks_for_what_it_found_running(void **unused)
{
	(void)unused;
	guest_role_adopt(&vm);
	assert_int_equal(world.asks, 0);
	guest_role_tick(&vm, clock_boot_ms());
	assert_int_equal(world.asks, 1);
	give(HOUR);
	assert_int_equal(world.pushes, 1);
}

static void test_an_end_drops_what_was_made_for_it(void **unused)
{
	(void)unused;
	guest_role_begin(&vm);
	guest_role_end(&vm);
	assert_int_equal(world.drops, 1);
	assert_null(lifecycle.role);
	give(HOUR); /* nobody wants it any more */
	assert_int_equal(world.pushes, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_start_waits_for_them_and_the_guest_gets_them),
		TEST(test_those_that_come_at_once_are_given_with_all_else),
		TEST(test_without_a_known_role_nobody_is_asked),
		TEST(test_a_start_waits_for_a_while_and_goes_on_without_them),
		TEST(test_a_failure_is_tried_again_later_each_time),
		TEST(test_they_are_renewed_before_they_end_and_not_earlier),
		TEST(test_what_has_ended_is_taken_from_the_guest),
		TEST(test_a_resume_asks_anew_unless_they_are_young),
		TEST(test_an_answer_to_a_start_that_failed_waits_for_a_guest),
		TEST(test_a_new_control_asks_for_what_it_found_running),
		TEST(test_an_end_drops_what_was_made_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
