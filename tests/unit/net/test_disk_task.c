/* Work on the thread pool goes through lanes: in order, bounded, and none at the cost of another.
 */

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/disk_task.h"

#define SLOW 2
#define FAST 1

struct job {
	struct disk_task task;
	sem_t *gate; /* what `run` waits for; NULL: nothing */
	char name;
	bool refuse, ran, done;
};

static uv_loop_t loop;
static char order[32]; /* the names of the jobs, as they were done */

static void job_run(struct disk_task *t)
{
	struct job *j = container_of(t, struct job, task);

	if (j->gate)
		sem_wait(j->gate);
	j->ran = true;
}

static void job_done(struct disk_task *t)
{
	struct job *j = container_of(t, struct job, task);
	size_t n = strlen(order);

	j->done = true;
	order[n] = j->name;
	order[n + 1] = '\0';
}

static bool job_turn(struct disk_task *t)
{
	return !container_of(t, struct job, task)->refuse;
}

static struct job job_of(char name, sem_t *gate)
{
	struct job j = { .gate = gate, .name = name };

	j.task.run = job_run;
	j.task.done = job_done;
	j.task.turn = job_turn;
	return j;
}

static int set_up(void **unused)
{
	(void)unused;
	order[0] = '\0';
	return uv_loop_init(&loop);
}

static int tear_down(void **unused)
{
	(void)unused;
	return uv_loop_close(&loop); /* fails if something still runs */
}

static void test_a_lane_that_is_stuck_keeps_no_other_lane_from_running(void **unused)
{
	struct disk_lane slow, fast;
	struct job stuck[8], quick = job_of('q', NULL);
	sem_t gate;

	(void)unused;
	sem_init(&gate, 0, 0);
	disk_lane_init(&slow, &loop, SLOW);
	disk_lane_init(&fast, &loop, FAST);
	for (size_t i = 0; i < ARRAY_SIZE(stuck); i++) {
		stuck[i] = job_of('s', &gate);
		disk_task_start(&slow, &stuck[i].task);
	}
	disk_task_start(&fast, &quick.task);
	while (!quick.done)
		uv_run(&loop, UV_RUN_ONCE);
	assert_string_equal(order, "q");
	assert_false(disk_lane_idle(&slow));
	assert_true(disk_lane_idle(&fast));
	for (size_t i = 0; i < ARRAY_SIZE(stuck); i++)
		sem_post(&gate);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_string_equal(order, "qssssssss");
	assert_true(disk_lane_idle(&slow));
	sem_destroy(&gate);
}

static void test_a_lane_of_one_keeps_the_order(void **unused)
{
	struct disk_lane lane;
	struct job jobs[6];

	(void)unused;
	disk_lane_init(&lane, &loop, 1);
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		jobs[i] = job_of((char)('a' + (char)i), NULL);
		disk_task_start(&lane, &jobs[i].task);
		assert_false(jobs[i].done); /* never from inside the start */
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_string_equal(order, "abcdef");
}

static void test_a_task_that_is_refused_at_its_turn_does_not_run(void **unused)
{
	struct disk_lane lane;
	struct job first = job_of('a', NULL), second = job_of('b', NULL);

	(void)unused;
	first.refuse = true;
	disk_lane_init(&lane, &loop, 1);
	disk_task_start(&lane, &first.task);
	assert_false(first.done);
	disk_task_start(&lane, &second.task);
	second.refuse = true; /* its turn has not come yet */
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_string_equal(order, "ab");
	assert_false(first.ran);
	assert_false(second.ran);
}

static void test_a_task_that_waits_can_be_taken_back(void **unused)
{
	struct disk_lane lane;
	struct job runs, waits, last = job_of('l', NULL);
	sem_t gate;

	(void)unused;
	sem_init(&gate, 0, 0);
	runs = job_of('r', &gate);
	waits = job_of('w', NULL);
	disk_lane_init(&lane, &loop, 1);
	disk_task_start(&lane, &runs.task);
	disk_task_start(&lane, &waits.task);
	disk_task_start(&lane, &last.task);
	assert_false(disk_task_cancel(&runs.task));
	assert_true(disk_task_cancel(&waits.task));
	sem_post(&gate);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_string_equal(order, "rl");
	assert_false(waits.ran);
	sem_destroy(&gate);
}

static void test_a_task_may_be_started_again_when_it_is_done(void **unused)
{
	struct disk_lane lane;
	struct job j = job_of('j', NULL);

	(void)unused;
	disk_lane_init(&lane, &loop, 1);
	for (int i = 0; i < 3; i++) {
		j.done = false;
		disk_task_start(&lane, &j.task);
		uv_run(&loop, UV_RUN_DEFAULT);
		assert_true(j.done);
	}
	assert_string_equal(order, "jjj");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_lane_that_is_stuck_keeps_no_other_lane_from_running, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(test_a_lane_of_one_keeps_the_order, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_task_that_is_refused_at_its_turn_does_not_run, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_task_that_waits_can_be_taken_back, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_task_may_be_started_again_when_it_is_done,
						set_up, tear_down),
	};

	disk_pool_size(SLOW + FAST);
	return cmocka_run_group_tests_name("net/disk_task", tests, NULL, NULL);
}
