/* Who follows a build, cancels it or reads its log, against an API that answers from a script. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cli/ask.h"
#include "cli/builds.h"
#include "cli/cli.h"

#define ARN   "arn:aws:lambda:us-east-1:000000000000:microvm-image:hello"
#define BUILD "/doze/v1/builds/b-1"

static int64_t now_ms;
static struct {
	int64_t ends_ms; /* when the build ends by itself */
	bool fails, cancelled, refuses_cancel;
	int64_t interrupt_ms; /* 0: never */
	enum answer says;
	unsigned asked, cancels;
	const char *follow; /* the option of `image log` */
} world;

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
	now_ms += us / 1000;
	return 0;
}

void interrupts_catch(void)
{
}

unsigned interrupts_take(void)
{
	unsigned n = world.interrupt_ms && now_ms >= world.interrupt_ms;

	if (n)
		world.interrupt_ms = 0;
	return n;
}

enum answer ask(const char *question)
{
	assert_string_equal(question, "Cancel the build?");
	world.asked++;
	return world.says;
}

const char *typed_option(const struct typed *t, const char *name)
{
	(void)t;
	assert_string_equal(name, "--follow");
	return world.follow;
}

char *client_escape(const char *text)
{
	return xstrdup(text);
}

static const char *state(void)
{
	if (world.cancelled)
		return "FAILED";
	if (now_ms < world.ends_ms)
		return now_ms < 1000 ? "PENDING" : "IN_PROGRESS";
	return world.fails ? "FAILED" : "SUCCESSFUL";
}

json_t *client_list(struct client *c, const char *path, struct err *e)
{
	(void)c;
	(void)e;
	if (!strcmp(path, IMAGES "/" ARN "/versions"))
		return json_pack("[{s:s,s:s},{s:s,s:s},{s:s,s:s}]", "imageVersion", "3.0", "state",
				 "SUCCESSFUL", "imageVersion", "2.0", "state", state(),
				 "imageVersion", "1.0", "state", "FAILED");
	if (!strcmp(path, IMAGES "/" ARN "/versions/2.0/builds"))
		return now_ms < 500 ? json_array() : json_pack("[{s:s}]", "buildId", "b-1");
	return json_pack("[{s:s}]", "buildId", "b-other");
}

static const char log_text[] = "doze: artifact\nSTEP 1/1: RUN x\nhere-it-breaks\ndoze: FAILED\n";

int client_call(struct client *c, const char *method, const char *path, const char *body,
		struct buf *answer, long *status, struct err *e)
{
	size_t from, visible = now_ms < world.ends_ms && !world.cancelled ? 15 : strlen(log_text);

	(void)c;
	(void)method;
	(void)body;
	(void)status;
	if (sscanf(path, BUILD "/log?from=%zu", &from) != 1)
		return err_set(e, ERR_NOT_FOUND, "no such log");
	if (from < visible)
		buf_add(answer, log_text + from, visible - from);
	return 0;
}

json_t *client_json(struct client *c, const char *method, const char *path, const json_t *in,
		    struct err *e)
{
	bool ended;

	(void)c;
	(void)in;
	if (!strcmp(method, "POST")) {
		assert_string_equal(path, BUILD "/cancel");
		world.cancels++;
		if (world.refuses_cancel) {
			err_set(e, ERR_CONFLICT, "not now");
			return NULL;
		}
		world.cancelled = now_ms < world.ends_ms;
		return json_pack("{s:s,s:s*}", "buildState", state(), "terminationReasonCode",
				 world.cancelled ? "CANCELLED" : NULL);
	}
	assert_ptr_equal(strstr(path, BUILD "?from="), path);
	ended = !strcmp(state(), "FAILED") || !strcmp(state(), "SUCCESSFUL");
	return json_pack("{s:s,s:s*,s:i,s:[{s:i,s:i,s:s,s:b,s:f,s:i,s:i}]}", "buildState", state(),
			 "stateReason",
			 world.cancelled ? "The build was cancelled."
			 : world.fails   ? "It broke."
					 : NULL,
			 "stepCount", 1, "steps", "part", 1, "parts", 1, "text", "RUN x", "ended",
			 (int)ended, "seconds", (double)now_ms / 1000, "logFrom", 15, "logTo", 46);
}

static char said[8192], complained[8192];

static size_t take(int from, char *to)
{
	ssize_t n = read(from, to, 8191);

	close(from);
	to[n > 0 ? n : 0] = '\0';
	return (size_t)n;
}

static int back[2], out[2], errors[2];

static void catch (void)
{
	fflush(stdout);
	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(errors), 0);
	back[0] = dup(STDOUT_FILENO);
	back[1] = dup(STDERR_FILENO);
	dup2(out[1], STDOUT_FILENO);
	dup2(errors[1], STDERR_FILENO);
}

static void caught(void)
{
	fflush(stdout);
	fflush(stderr);
	dup2(back[0], STDOUT_FILENO);
	dup2(back[1], STDERR_FILENO);
	close(back[0]);
	close(back[1]);
	close(out[1]);
	close(errors[1]);
	take(out[0], said);
	take(errors[0], complained);
}

static int follow(bool json)
{
	struct client c = { .json = json };
	int rc;

	conf_defaults(&c.conf, "t1");
	catch ();
	rc = build_follow(&c, ARN, "2.0", false);
	caught();
	return rc;
}

static int command(command_fn *fn, const char *version)
{
	const char *const words[] = { ARN, version };
	const struct typed t = { .words = { words, version ? 2 : 1 } };
	struct client c = { .json = false };
	int rc;

	conf_defaults(&c.conf, "t1");
	catch ();
	rc = fn(&c, &t);
	caught();
	return rc;
}

static int setup(void **unused)
{
	(void)unused;
	memset(&world, 0, sizeof(world));
	now_ms = 0;
	world.ends_ms = 5000;
	return 0;
}

static void test_a_build_is_followed_to_its_end(void **unused)
{
	(void)unused;
	assert_int_equal(follow(false), 0);
	assert_string_equal(said,
			    "    5.0 s  STEP 1/1 RUN x\n" ARN "  version 2.0  made in 5.0 s\n");
	assert_string_equal(complained, "");
}

static void test_a_failure_shows_the_lines_of_its_step_and_the_reason(void **unused)
{
	(void)unused;
	world.fails = true;
	assert_int_equal(follow(false), 1);
	assert_non_null(strstr(said, "The output of 'STEP 1/1 RUN x':\nhere-it-breaks\n"));
	assert_null(strstr(said, "doze: FAILED"));
	assert_non_null(strstr(complained, "doze: version 2.0 failed: It broke.\n"));
	assert_non_null(strstr(complained, "'doze --instance t1 image log hello 2.0'"));
}

static void test_json_ends_with_an_event(void **unused)
{
	(void)unused;
	world.fails = true;
	assert_int_equal(follow(true), 1);
	assert_ptr_equal(strstr(said, "{\"event\":\"begin\""), said);
	assert_non_null(strstr(said, "\n{\"event\":\"failure\""));
	assert_non_null(strstr(said, "\n{\"event\":\"end\""));
	assert_non_null(strstr(said, "\"stateReason\":\"It broke.\""));
	assert_null(strstr(said, "made in"));
}

static void test_an_interrupt_that_is_meant_cancels(void **unused)
{
	(void)unused;
	world.interrupt_ms = 2000;
	world.says = ANSWER_YES;
	assert_int_equal(follow(false), 1);
	assert_int_equal(world.cancels, 1);
	assert_true(now_ms < 3000);
	assert_non_null(strstr(complained, "version 2.0 failed: The build was cancelled."));
}

static void test_an_interrupt_that_is_not_meant_is_forgotten(void **unused)
{
	(void)unused;
	world.interrupt_ms = 2000;
	world.says = ANSWER_NO;
	assert_int_equal(follow(false), 0);
	assert_int_equal(world.asked, 1);
	assert_int_equal(world.cancels, 0);
	assert_int_equal(now_ms, 5000);
}

static void test_a_second_interrupt_or_no_terminal_leaves_the_build_running(void **unused)
{
	static const enum answer answers[] = { ANSWER_LEAVE, ANSWER_NOBODY };

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		setup(unused);
		world.interrupt_ms = 2000;
		world.says = answers[i];
		assert_int_equal(follow(false), 130);
		assert_int_equal(world.cancels, 0);
		assert_non_null(strstr(complained, "goes on being built"));
		assert_non_null(
			strstr(complained, "'doze --instance t1 image log hello 2.0 --follow'"));
		assert_non_null(strstr(complained, "'doze --instance t1 image cancel hello 2.0'"));
	}
}

static void test_a_cancel_that_is_refused_is_said_and_the_build_followed_on(void **unused)
{
	(void)unused;
	world.interrupt_ms = 2000;
	world.says = ANSWER_YES;
	world.refuses_cancel = true;
	assert_int_equal(follow(false), 0);
	assert_non_null(strstr(complained, "not now"));
}

static void test_cancel_takes_the_version_that_is_being_built(void **unused)
{
	(void)unused;
	now_ms = 2000;
	assert_int_equal(command(cmd_image_cancel, NULL), 0);
	assert_string_equal(said, ARN "  version 2.0  cancelled\n");
	assert_int_equal(world.cancels, 1);
}

static void test_cancel_says_if_there_is_nothing_to_cancel(void **unused)
{
	(void)unused;
	now_ms = 9000;
	assert_int_equal(command(cmd_image_cancel, NULL), 1);
	assert_string_equal(complained, "doze: image hello has no version that is being built\n");
	assert_int_equal(command(cmd_image_cancel, "7.0"), 1);
	assert_string_equal(complained, "doze: image hello has no version 7.0\n");
	assert_int_equal(command(cmd_image_cancel, "2.0"), 1);
	assert_string_equal(complained,
			    "doze: the build of version 2.0 has ended already: it is SUCCESSFUL\n");
}

static void test_the_log_is_printed_to_what_is_there_or_followed_to_its_end(void **unused)
{
	(void)unused;
	now_ms = 2000;
	assert_int_equal(command(cmd_image_log, "2.0"), 0);
	assert_string_equal(said, "doze: artifact\n");
	assert_int_equal(now_ms, 2000);
	world.follow = "";
	assert_int_equal(command(cmd_image_log, "2.0"), 0);
	assert_string_equal(said, log_text);
	assert_int_equal(now_ms, 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_build_is_followed_to_its_end, setup),
		cmocka_unit_test_setup(test_a_failure_shows_the_lines_of_its_step_and_the_reason,
				       setup),
		cmocka_unit_test_setup(test_json_ends_with_an_event, setup),
		cmocka_unit_test_setup(test_an_interrupt_that_is_meant_cancels, setup),
		cmocka_unit_test_setup(test_an_interrupt_that_is_not_meant_is_forgotten, setup),
		cmocka_unit_test_setup(
			test_a_second_interrupt_or_no_terminal_leaves_the_build_running, setup),
		cmocka_unit_test_setup(
			test_a_cancel_that_is_refused_is_said_and_the_build_followed_on, setup),
		cmocka_unit_test_setup(test_cancel_takes_the_version_that_is_being_built, setup),
		cmocka_unit_test_setup(test_cancel_says_if_there_is_nothing_to_cancel, setup),
		cmocka_unit_test_setup(
			test_the_log_is_printed_to_what_is_there_or_followed_to_its_end, setup),
	};

	return cmocka_run_group_tests_name("cli/builds", tests, NULL, NULL);
}
