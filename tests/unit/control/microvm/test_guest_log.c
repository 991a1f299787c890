/* The log of a guest: in order, while a worker is slow, and gone with its microVM. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "control/microvm/guest_log.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/storage/lanes.h"

/* The worker does what it was given when it is told to. */
static struct disk_task *given;

void disk_task_start(struct disk_lane *l, struct disk_task *t)
{
	(void)l;
	assert_null(given);
	given = t;
}

struct disk_lane *lane(const struct control *c, enum lane which)
{
	(void)c;
	assert_int_equal(which, LANE_LOG);
	return NULL;
}

static void worker_runs(void)
{
	assert_non_null(given);
	given->run(given);
}

static void worker_is_done(void)
{
	struct disk_task *t = given;

	given = NULL;
	t->done(t);
}

static void worker_works(void)
{
	worker_runs();
	worker_is_done();
}

static char root[] = "/tmp/doze-guest-log-XXXXXX";
static const struct conf conf = { .log_file_mib = 1 };
static char params[512];
static struct lifecycle lifecycle;
static struct control ctl;
static struct microvm vm;
static struct machine machine;

struct lifecycle *lifecycle_of(struct microvm *of)
{
	return of->lifecycle;
}

static int begin(void **unused)
{
	(void)unused;
	strcpy(root + strlen(root) - strlen("XXXXXX"), "XXXXXX");
	assert_non_null(mkdtemp(root));
	ctl.log_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(ctl.log_fd, "microvms", 0700), 0);
	ctl.conf = &conf;
	vm = (struct microvm){
		.ctl = &ctl, .id = "microvm-1", .params = params, .lifecycle = &lifecycle
	};
	lifecycle = (struct lifecycle){ .vm = &vm };
	machine = (struct machine){ .ctl = &ctl, .owner = &vm };
	strcpy(params, "{}");
	given = NULL;
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	close(ctl.log_fd);
	return io_remove_tree(AT_FDCWD, root);
}

static void write_text(const char *text)
{
	guest_log_write(&machine, (const uint8_t *)text, strlen(text), 0);
}

static void assert_file(const char *name, const char *text)
{
	autoclose int fd = openat(ctl.log_fd, name, O_RDONLY);
	char data[256] = "";

	assert_true(fd >= 0);
	assert_true(read(fd, data, sizeof(data) - 1) >= 0);
	assert_string_equal(data, text);
}

static void test_output_that_comes_while_the_worker_writes_follows(void **unused)
{
	(void)unused;
	write_text("one\n");
	worker_runs();
	write_text("two\n");
	write_text("three\n");
	worker_is_done();
	worker_works();
	assert_null(given);
	assert_file("microvms/microvm-1.log", "one\ntwo\nthree\n");
	guest_log_close(&vm);
	assert_null(lifecycle.log);
}

static void test_a_close_waits_for_what_was_written_before(void **unused)
{
	(void)unused;
	write_text("one\n");
	worker_runs();
	write_text("two\n");
	guest_log_close(&vm);
	worker_is_done();
	worker_works();
	assert_null(given);
	assert_null(lifecycle.log);
	assert_file("microvms/microvm-1.log", "one\ntwo\n");
}

static void test_output_after_a_close_opens_it_again(void **unused)
{
	(void)unused;
	write_text("one\n");
	guest_log_close(&vm);
	write_text("two\n");
	worker_works();
	worker_works();
	assert_non_null(lifecycle.log);
	guest_log_close(&vm);
	assert_file("microvms/microvm-1.log", "one\ntwo\n");
}

static void test_a_log_that_is_removed_while_it_is_written_stays_removed(void **unused)
{
	(void)unused;
	write_text("one\n");
	worker_runs();
	write_text("two\n");
	guest_log_close(&vm);
	guest_log_remove(&vm);
	assert_null(lifecycle.log);
	memset(&vm, 0xdd, sizeof(vm));
	worker_is_done();
	while (given)
		worker_works();
	assert_int_equal(faccessat(ctl.log_fd, "microvms/microvm-1.log", F_OK, 0), -1);
}

static void test_a_log_that_nobody_writes_is_removed_with_the_rotated_one(void **unused)
{
	(void)unused;
	close(openat(ctl.log_fd, "microvms/microvm-1.log", O_WRONLY | O_CREAT, 0600));
	close(openat(ctl.log_fd, "microvms/microvm-1.log.1", O_WRONLY | O_CREAT, 0600));
	guest_log_remove(&vm);
	worker_works();
	assert_null(given);
	assert_int_equal(faccessat(ctl.log_fd, "microvms/microvm-1.log", F_OK, 0), -1);
	assert_int_equal(faccessat(ctl.log_fd, "microvms/microvm-1.log.1", F_OK, 0), -1);
}

static void test_a_log_that_is_left_behind_is_written_to_its_end(void **unused)
{
	(void)unused;
	write_text("one\n");
	worker_runs();
	write_text("two\n");
	guest_log_leave(&vm);
	assert_null(lifecycle.log);
	memset(&vm, 0xdd, sizeof(vm));
	worker_is_done();
	worker_works();
	assert_null(given);
	assert_file("microvms/microvm-1.log", "one\ntwo\n");
}

static void test_nothing_is_kept_where_logging_is_disabled(void **unused)
{
	(void)unused;
	strcpy(params, "{\"logging\":{\"disabled\":{}}}");
	write_text("one\n");
	guest_log_close(&vm);
	assert_null(given);
	assert_null(lifecycle.log);
	assert_int_equal(faccessat(ctl.log_fd, "microvms/microvm-1.log", F_OK, 0), -1);
}

static void test_a_full_file_makes_room_and_its_times_go_with_it(void **unused)
{
	autofree char *much = xcalloc(1, MIB);

	(void)unused;
	memset(much, '\n', MIB);
	guest_log_write(&machine, (const uint8_t *)much, MIB, 0);
	worker_works();
	write_text("next\n");
	worker_works();
	guest_log_close(&vm);
	assert_file("microvms/microvm-1.log", "next\n");
	assert_int_equal(faccessat(ctl.log_fd, "microvms/microvm-1.log.1", F_OK, 0), 0);
	assert_int_equal(faccessat(ctl.log_fd, "microvms/microvm-1.times", F_OK, 0), 0);
	assert_int_equal(faccessat(ctl.log_fd, "microvms/microvm-1.times.1", F_OK, 0), 0);
}

static void test_output_beyond_the_backlog_is_dropped_and_counted(void **unused)
{
	autofree char *much = xcalloc(1, LIMIT_LOG_BACKLOG);

	(void)unused;
	write_text("one\n");
	worker_runs();
	write_text("two\n");
	guest_log_write(&machine, (const uint8_t *)much, LIMIT_LOG_BACKLOG, 5);
	worker_is_done();
	worker_works();
	write_text("three\n");
	worker_works();
	assert_file("microvms/microvm-1.log",
		    LIMIT_LOG_BACKLOG == 1048576
			    ? "one\ntwo\n[doze: 1048581 bytes of output were dropped]\nthree\n"
			    : "the limit has changed");
	guest_log_close(&vm);
}

static void test_what_doze_has_to_say_is_a_line_of_its_own_and_printable(void **unused)
{
	(void)unused;
	vm.state = VM_RUNNING;
	write_text("one\n");
	guest_log_note(&vm, "the answer to GET /\n[doze: x] \x1b[2J was 502: no");
	worker_works();
	worker_works();
	assert_non_null(lifecycle.log);
	guest_log_close(&vm);
	assert_file("microvms/microvm-1.log",
		    "one\n[doze: the answer to GET /?[doze: x] ?[2J was 502: no]\n");
}

static void test_a_note_about_a_microvm_that_sleeps_leaves_no_open_file(void **unused)
{
	(void)unused;
	vm.state = VM_SUSPENDED;
	guest_log_note(&vm, "a");
	guest_log_note(&vm, "b");
	while (given)
		worker_works();
	assert_null(lifecycle.log);
	assert_file("microvms/microvm-1.log", "[doze: a]\n[doze: b]\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_output_that_comes_while_the_worker_writes_follows),
		TEST(test_a_close_waits_for_what_was_written_before),
		TEST(test_output_after_a_close_opens_it_again),
		TEST(test_what_doze_has_to_say_is_a_line_of_its_own_and_printable),
		TEST(test_a_note_about_a_microvm_that_sleeps_leaves_no_open_file),
		TEST(test_a_log_that_is_removed_while_it_is_written_stays_removed),
		TEST(test_a_log_that_nobody_writes_is_removed_with_the_rotated_one),
		TEST(test_a_log_that_is_left_behind_is_written_to_its_end),
		TEST(test_nothing_is_kept_where_logging_is_disabled),
		TEST(test_a_full_file_makes_room_and_its_times_go_with_it),
		TEST(test_output_beyond_the_backlog_is_dropped_and_counted),
	};

	return cmocka_run_group_tests_name("control/microvm/guest_log", tests, NULL, NULL);
}
