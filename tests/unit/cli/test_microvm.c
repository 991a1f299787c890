/* How long a command waits for a microVM, on a clock that is moved by what sleeps. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cli/cli.h"

#define ID   "microvm-00000000-0000-0000-0000-000000000000"
#define HOUR (3600 * 1000)

static int64_t now_ms;
/* What the microVM is from such a time on. */
static struct {
	int64_t from_ms;
	const char *state;
} states[4];

int64_t clock_mono_ms(void)
{
	return now_ms;
}

int64_t clock_mono_us(void)
{
	return now_ms * 1000;
}

int64_t clock_wall_ms(void)
{
	return now_ms;
}

int usleep(useconds_t us)
{
	(void)us;
	now_ms += 1000;
	return 0;
}

const char *typed_option(const struct typed *t, const char *name)
{
	(void)t;
	(void)name;
	return NULL;
}

json_t *client_list(struct client *c, const char *path, struct err *e)
{
	(void)c;
	(void)path;
	(void)e;
	return json_array();
}

int client_call(struct client *c, const char *method, const char *path, const char *body,
		struct buf *answer, long *status, struct err *e)
{
	(void)c;
	(void)method;
	(void)path;
	(void)body;
	(void)answer;
	(void)status;
	return err_set(e, ERR_INTERNAL, "not in this test");
}

json_t *client_json(struct client *c, const char *method, const char *path, const json_t *in,
		    struct err *e)
{
	const char *state = "";

	(void)c;
	(void)method;
	(void)path;
	(void)in;
	(void)e;
	for (size_t i = 0; i < ARRAY_SIZE(states) && states[i].state; i++)
		if (now_ms >= states[i].from_ms)
			state = states[i].state;
	return json_pack("{ss}", "state", state);
}

static int run(command_fn *fn)
{
	static const char *const ids[] = { ID };
	const struct typed t = { .words = { ids, 1 } };
	struct client c = { .json = false };

	now_ms = 0;
	return fn(&c, &t);
}

static int setup(void **unused)
{
	(void)unused;
	memset(states, 0, sizeof(states));
	return 0;
}

static void test_a_save_is_waited_for_as_long_as_it_takes(void **unused)
{
	(void)unused;
	states[0].state = "SUSPENDING";
	states[1].from_ms = HOUR;
	states[1].state = "SUSPENDED";
	assert_int_equal(run(cmd_suspend), 0);
	assert_true(now_ms >= HOUR);
}

static void test_a_save_that_fails_is_a_failure_of_the_command(void **unused)
{
	(void)unused;
	states[0].state = "SUSPENDING";
	states[1].from_ms = HOUR;
	states[1].state = "RUNNING";
	assert_int_equal(run(cmd_suspend), 1);
	assert_true(now_ms < HOUR + HOUR);
}

static void test_what_does_not_happen_within_two_minutes_has_failed(void **unused)
{
	(void)unused;
	states[0].state = "SUSPENDED";
	assert_int_equal(run(cmd_resume), 1);
	assert_true(now_ms >= 120000 && now_ms < 130000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_save_is_waited_for_as_long_as_it_takes, setup),
		cmocka_unit_test_setup(test_a_save_that_fails_is_a_failure_of_the_command, setup),
		cmocka_unit_test_setup(test_what_does_not_happen_within_two_minutes_has_failed,
				       setup),
	};

	return cmocka_run_group_tests_name("cli/microvm", tests, NULL, NULL);
}
