/* Work in a process of its own: its result, its failure and its death all come back. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "qemu/child.h"
#include "qemu/tail.h"

struct fixture {
	struct work work;
	struct child child;
	struct loop *loop;
	bool done;
	size_t size;
	struct err why;
};

static void on_done(struct work *w, const uint8_t *out, size_t size, const struct err *why)
{
	struct fixture *f = container_of(w, struct fixture, work);

	(void)out;
	f->done = true;
	f->size = size;
	if (why)
		f->why = *why;
	loop_stop(f->loop);
}

static int work_much(const void *arg, struct buf *out, struct err *e)
{
	(void)arg;
	(void)e;
	for (int i = 0; i < 100000; i++)
		buf_add(out, "0123456789", 10);
	return 0;
}

static int work_fail(const void *arg, struct buf *out, struct err *e)
{
	(void)out;
	return err_set(e, ERR_CAPACITY, "no room for %s", (const char *)arg);
}

static int work_die(const void *arg, struct buf *out, struct err *e)
{
	(void)arg;
	(void)out;
	(void)e;
	raise(SIGKILL);
	return 0;
}

static void fixture_work(struct fixture *f, work_run *run)
{
	struct err e;

	*f = (struct fixture){ .done = false };
	f->loop = loop_new(&e);
	assert_int_equal(work_start(&f->work, f->loop, run, "it", on_done, &e), 0);
	assert_int_equal(loop_run(f->loop, &e), 0);
	assert_true(f->done);
	assert_int_equal(f->work.pid, 0);
	loop_free(f->loop);
}

static void test_all_of_a_result_comes_back(void **unused)
{
	struct fixture f;

	(void)unused;
	fixture_work(&f, work_much);
	assert_int_equal(f.size, 1000000);
	assert_string_equal(f.why.text, "");
}

static void test_a_failure_comes_back_as_it_was(void **unused)
{
	struct fixture f;

	(void)unused;
	fixture_work(&f, work_fail);
	assert_string_equal(f.why.text, "no room for it");
	assert_int_equal(f.why.kind, ERR_CAPACITY);
}

static void test_a_worker_that_dies_is_a_failure(void **unused)
{
	struct fixture f;

	(void)unused;
	fixture_work(&f, work_die);
	assert_non_null(strstr(f.why.text, "died"));
}

static void on_ended(struct child *c)
{
	struct fixture *f = container_of(c, struct fixture, child);

	f->done = true;
	loop_stop(f->loop);
}

static void test_a_program_is_started_and_its_last_line_kept(void **unused)
{
	char program[] = "/bin/sh", option[] = "-c";
	char script[] = "echo first >&2; printf 'the \\033last\\n\\n' >&2; exit 3";
	char *argv[] = { program, option, script, NULL };
	struct fixture f = { .done = false };
	struct tail tail;
	struct err e;
	int out[2];

	(void)unused;
	f.loop = loop_new(&e);
	assert_int_equal(pipe(out), 0);
	assert_int_equal(tail_open(&tail, f.loop, "it", out[0], &e), 0);
	assert_int_equal(child_exec(&f.child, f.loop, &(struct child_how){ argv, NULL, 0, out[1] },
				    on_ended, &e),
			 0);
	close(out[1]);
	assert_int_equal(loop_run(f.loop, &e), 0);
	tail_read(&tail);
	tail_close(&tail);
	assert_string_equal(tail.last, "the last");
	assert_int_equal(f.child.status, 3 << 8);
	loop_free(f.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_of_a_result_comes_back),
		cmocka_unit_test(test_a_failure_comes_back_as_it_was),
		cmocka_unit_test(test_a_worker_that_dies_is_a_failure),
		cmocka_unit_test(test_a_program_is_started_and_its_last_line_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
