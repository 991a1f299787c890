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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timers_fire_soonest_first),
		cmocka_unit_test(test_a_watch_that_another_removed_is_not_served),
	};

	return cmocka_run_group_tests_name("base/loop", tests, NULL, NULL);
}
