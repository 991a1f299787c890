/* What control hears of a build while it goes on, and the sentence for its failure. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "image/build.h"

static struct chan_uv control;
static struct image_role role = { .control = &control };
static struct build *b;
static struct build_step sent[256];
static size_t n_sent;
static char reason[512];

void __wrap_chan_uv_send(struct chan_uv *c, uint32_t type, uint64_t tag, const void *body,
			 size_t size, const int *fds, unsigned n_fds)
{
	(void)c;
	(void)tag;
	(void)fds;
	(void)n_fds;
	assert_int_equal(type, BUILD_STEP);
	assert_int_equal(size, sizeof(sent[0]));
	assert_true(n_sent < ARRAY_SIZE(sent));
	memcpy(&sent[n_sent++], body, size);
}

static uv_timer_t timer;
static unsigned n_timers;
static uv_timer_cb timer_done;

uv_timer_t *__wrap_build_timer(struct build *of, uint64_t after_ms, uint64_t every_ms,
			       uv_timer_cb cb)
{
	assert_in_range(after_ms, 1, 2000);
	assert_int_equal(every_ms, 0);
	timer.data = of;
	timer_done = cb;
	n_timers++;
	return &timer;
}

void __wrap_build_timer_end(uv_timer_t **at)
{
	*at = NULL;
}

static const struct build_stage stage = { "build", "build the container image", NULL, NULL };

static int setup(void **unused)
{
	(void)unused;
	b = calloc(1, sizeof(*b));
	b->role = &role;
	b->stage.at = 3;
	b->stage.open = true;
	b->log.fd = memfd_create("log", MFD_CLOEXEC);
	assert_true(b->log.fd >= 0);
	n_sent = n_timers = 0;
	build_progress_begin(b, &stage, 14);
	return 0;
}

static int teardown(void **unused)
{
	(void)unused;
	close(b->log.fd);
	buf_free(&b->progress.unwritten);
	free(b);
	return 0;
}

static void output(const char *text)
{
	build_output(b, (const uint8_t *)text, strlen(text));
}

static const struct build_step *last(void)
{
	assert_true(n_sent > 0);
	return &sent[n_sent - 1];
}

static void test_each_step_of_the_dockerfile_is_told_with_its_place_in_the_log(void **unused)
{
	(void)unused;
	assert_int_equal(n_sent, 1);
	assert_string_equal(last()->step, "build");
	assert_string_equal(last()->text, "build the container image");
	assert_int_equal(last()->n, 4);
	assert_int_equal(last()->of, 14);
	output("hello\nSTEP 1/2: FROM x\nSTEP 2/2: RUN a");
	assert_int_equal(n_sent, 2);
	assert_int_equal(last()->part, 1);
	assert_int_equal(last()->log_bytes, 6);
	output("nd b\n--> Using cache 12\n");
	assert_int_equal(n_sent, 4);
	assert_int_equal(sent[2].log_bytes, 23);
	assert_string_equal(sent[2].text, "RUN and b");
	assert_string_equal(sent[2].detail, "");
	assert_string_equal(last()->detail, "cached");
	output("no line feed");
	build_progress_end(b);
	assert_int_equal(last()->ended, 1);
	assert_int_equal(last()->log_bytes, b->log.bytes);
	assert_int_equal(b->log.bytes, lseek(b->log.fd, 0, SEEK_CUR));
}

static void test_what_is_waited_for_is_told_when_it_changes(void **unused)
{
	(void)unused;
	build_waits_for(b, "waits for port 8080");
	assert_int_equal(n_sent, 2);
	assert_string_equal(last()->detail, "waits for port 8080");
	build_waits_for(b, "waits for port 8080");
	assert_int_equal(n_sent, 2);
	build_waits_for(b, NULL);
	assert_int_equal(n_sent, 3);
	assert_string_equal(last()->detail, "");
	b->stage.open = false;
	build_waits_for(b, "nothing: the stage has ended");
	assert_int_equal(n_sent, 3);
}

static void test_a_control_that_comes_back_hears_the_step_under_way(void **unused)
{
	(void)unused;
	output("STEP 1/2: FROM x\n");
	build_progress_resend(b);
	assert_int_equal(n_sent, 3);
	assert_memory_equal(&sent[1], &sent[2], sizeof(sent[1]));
}

/* A RUN may print ten thousands of lines that look like steps. */
static void test_of_a_flood_of_steps_control_hears_few_and_the_last(void **unused)
{
	autobuf struct buf flood = { 0 };
	size_t burst;

	(void)unused;
	for (int i = 1; i <= 5000; i++)
		buf_addf(&flood, "STEP %d/5000: RUN x\n", i);
	output(buf_str(&flood));
	burst = n_sent;
	assert_in_range(burst, 10, 100);
	assert_int_equal(n_timers, 1);
	output("STEP 9/9: RUN y\n");
	assert_int_equal(n_sent, burst);
	assert_int_equal(n_timers, 1);
	timer_done(&timer);
	assert_int_equal(n_sent, burst + 1);
	assert_string_equal(last()->text, "RUN y");
	assert_int_equal(last()->part, 9);
	assert_null(b->progress.late);
	output("STEP 1/9: RUN z\n"); /* a few are told at once again */
	assert_int_equal(n_sent, burst + 2);
	output(buf_str(&flood));
	build_progress_end(b); /* the end is told however many there were */
	assert_int_equal(last()->ended, 1);
}

#define FAILED "The container image build failed."

static void test_the_sentence_names_step_command_and_cause(void **unused)
{
	static const struct {
		const char *output, *said, *sentence;
	} table[] = {
		{ "STEP 2/2: RUN pip install x\nERROR: No matching distribution found for x\n"
		  "Error: building at STEP \"RUN pip install x\": while running runtime: exit "
		  "status 1\n",
		  FAILED,
		  FAILED
		  " Step 2/2, RUN pip install x ended with exit status 1: ERROR: No matching "
		  "distribution found for x" },
		{ "[2/3] STEP 1/4: RUN false\nError: building at STEP \"RUN false\": while running "
		  "runtime: exit status 1",
		  FAILED,
		  FAILED " Stage 2/3, step 1/4, RUN false ended with exit status 1 and "
			 "printed nothing." },
		{ "STEP 1/2: FROM nothere\nError: building at STEP \"FROM nothere\": no such "
		  "image\n",
		  FAILED, FAILED " Step 1/2, FROM nothere: no such image" },
		{ "STEP 2/2: RUN sleep 9\n", FAILED " It ran out of memory.",
		  FAILED " Step 2/2, RUN sleep 9: It ran out of memory." },
		/* The job names the step, and the step's own last words say why. */
		{ "STEP 2/2: RUN echo no && exit 7\nno\nError: building at STEP \"RUN echo no && "
		  "exit 7\": while running runtime: exit status 7\n",
		  FAILED " Dockerfile:2: step 2/2 failed: RUN echo no && exit 7: exit status 7",
		  FAILED
		  " Dockerfile:2: step 2/2 failed: RUN echo no && exit 7: exit status 7: no" },
		/* What says all by itself is left as it is. */
		{ "STEP 2/2: RUN x\n", FAILED " Step 7 is wrong.", FAILED " Step 7 is wrong." },
		{ "STEP 2/2: RUN x\n", "The disk became full.", "The disk became full." },
		{ "no step has begun\n", FAILED " Line 3 is wrong.", FAILED " Line 3 is wrong." },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		teardown(unused);
		setup(unused);
		output(table[i].output);
		build_progress_reason(b, table[i].said, reason, sizeof(reason));
		assert_string_equal(reason, table[i].sentence);
	}
}

static void test_a_sentence_that_is_too_long_ends_in_time(void **unused)
{
	char line[2000];

	(void)unused;
	memset(line, 'x', sizeof(line));
	memcpy(line, "STEP 1/1: RUN ", 14);
	memcpy(line + 900, "\nerror: ", 8);
	line[sizeof(line) - 1] = '\0';
	output(line);
	build_progress_reason(b, FAILED, reason, sizeof(reason));
	assert_true(strlen(reason) < sizeof(reason) - 1); /* the step leaves room for the cause */
	assert_non_null(strstr(reason, "...: error: xxx"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_step_of_the_dockerfile_is_told_with_its_place_in_the_log),
		TEST(test_what_is_waited_for_is_told_when_it_changes),
		TEST(test_a_control_that_comes_back_hears_the_step_under_way),
		TEST(test_of_a_flood_of_steps_control_hears_few_and_the_last),
		TEST(test_the_sentence_names_step_command_and_cause),
		TEST(test_a_sentence_that_is_too_long_ends_in_time),
	};

	return cmocka_run_group_tests_name("image/build_progress", tests, NULL, NULL);
}
