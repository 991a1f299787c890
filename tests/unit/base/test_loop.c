/* The small loop: timers in order, watches that may go while they are served. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/loop.h"

static struct loop *loop;
static char order[8];

static void fire_a(struct timer *t)
{
	(void)t;
	strcat(order, "a");
}

static void fire_b(struct timer *t)
{
	(void)t;
	strcat(order, "b");
	loop_stop(loop);
}

static void test_timers_fire_soonest_first(void **unused)
{
	struct timer a = { 0 }, b = { 0 }, never = { 0 };
	struct err e;

	(void)unused;
	loop = loop_new(&e);
	assert_non_null(loop);
	loop_timer(loop, &b, 2, fire_b);
	loop_timer(loop, &a, 1, fire_a);
	loop_timer(loop, &never, 1, fire_b);
	loop_untimer(loop, &never);
	assert_int_equal(loop_run(loop, &e), 0);
	assert_string_equal(order, "ab");
	loop_free(loop);
}

static struct watch first, second;
static int served;

static void serve(struct watch *w, uint32_t events)
{
	(void)events;
	served++;
	loop_unwatch(loop, w == &first ? &second : &first);
	loop_unwatch(loop, w);
	loop_stop(loop);
}

static void test_a_watch_that_another_removed_is_not_served(void **unused)
{
	int one = eventfd(1, EFD_CLOEXEC), two = eventfd(1, EFD_CLOEXEC);
	struct err e;

	(void)unused;
	loop = loop_new(&e);
	assert_non_null(loop);
	assert_int_equal(loop_watch(loop, &first, one, EPOLLIN, serve, &e), 0);
	assert_int_equal(loop_watch(loop, &second, two, EPOLLIN, serve, &e), 0);
	assert_int_equal(loop_run(loop, &e), 0);
	assert_int_equal(served, 1);
	loop_free(loop);
	close(one);
	close(two);
}

/* What happened, in order, by its first letter: sleep, wake, timer, ready. */
static char guarded[32];

static void guard_sleep(void *arg)
{
	strcat(arg, "s");
}

static void guard_wake(void *arg)
{
	strcat(arg, "w");
	loop_unwatch(loop, &second); /* as another thread may have, while the loop slept */
}

static void guard_ready(struct watch *w, uint32_t events)
{
	(void)events;
	strcat(guarded, w == &first ? "r" : "R");
	loop_unwatch(loop, w);
}

static void guard_fire(struct timer *t)
{
	(void)t;
	strcat(guarded, "t");
	loop_stop(loop);
}

static void test_a_guarded_loop_holds_the_lock_whenever_it_does_not_sleep(void **unused)
{
	int one = eventfd(1, EFD_CLOEXEC), two = eventfd(1, EFD_CLOEXEC);
	struct timer t = { 0 };
	struct err e;

	(void)unused;
	loop = loop_new(&e);
	assert_non_null(loop);
	loop_guard(loop, guard_sleep, guard_wake, guarded);
	assert_int_equal(loop_watch(loop, &first, one, EPOLLIN, guard_ready, &e), 0);
	assert_int_equal(loop_watch(loop, &second, two, EPOLLIN, guard_ready, &e), 0);
	loop_timer(loop, &t, 0, guard_fire);
	assert_int_equal(loop_run(loop, &e), 0);
	assert_string_equal(guarded, "swrt"); /* never R: it was unwatched */
	loop_free(loop);
	close(one);
	close(two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timers_fire_soonest_first),
		cmocka_unit_test(test_a_watch_that_another_removed_is_not_served),
		cmocka_unit_test(test_a_guarded_loop_holds_the_lock_whenever_it_does_not_sleep),
	};

	return cmocka_run_group_tests_name("base/loop", tests, NULL, NULL);
}
