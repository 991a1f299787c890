/* Files that nobody needs: gone by name at once, and in the end from the disk. */

#include <errno.h>
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
#include "control/storage/gc.h"
#include "control/storage/lanes.h"

/* The lane: its tasks run when they are told to. */
static struct list tasks;

void disk_task_start(struct disk_lane *l, struct disk_task *t)
{
	(void)l;
	list_add(&tasks, &t->in);
}

bool disk_task_cancel(struct disk_task *t)
{
	if (list_empty(&t->in))
		return false;
	list_del(&t->in);
	return true;
}

struct disk_lane *lane(const struct control *c, enum lane which)
{
	(void)c;
	assert_int_equal(which, LANE_GC);
	return NULL;
}

static struct disk_task *next_begins(void)
{
	struct disk_task *t = container_of(tasks.next, struct disk_task, in);

	assert_false(list_empty(&tasks));
	list_del(&t->in);
	t->run(t);
	return t;
}

static void lane_works(void)
{
	while (!list_empty(&tasks)) {
		struct disk_task *t = next_begins();

		t->done(t);
	}
}

/* The disk has no room for another name when it is told so. */
static bool full;

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	if (!full)
		return renameat2(from_fd, from, to_fd, to, 0);
	errno = ENOSPC;
	return -1;
}

static char root[] = "/tmp/doze-gc-XXXXXX";
static struct control ctl;

static int begin(void **unused)
{
	(void)unused;
	list_init(&tasks);
	full = false;
	strcpy(root + strlen(root) - strlen("XXXXXX"), "XXXXXX");
	assert_non_null(mkdtemp(root));
	ctl.dir_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	gc_open(&ctl);
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	gc_close(&ctl);
	assert_true(list_empty(&tasks));
	free(ctl.gc);
	close(ctl.dir_fd);
	return io_remove_tree(AT_FDCWD, root);
}

static void make_tree(const char *name)
{
	char path[128];

	assert_int_equal(mkdirat(ctl.dir_fd, name, 0700), 0);
	snprintf(path, sizeof(path), "%s/below", name);
	assert_int_equal(mkdirat(ctl.dir_fd, path, 0700), 0);
	snprintf(path, sizeof(path), "%s/below/file", name);
	close(openat(ctl.dir_fd, path, O_WRONLY | O_CREAT, 0600));
}

static bool exists(const char *path)
{
	return !faccessat(ctl.dir_fd, path, F_OK, AT_SYMLINK_NOFOLLOW);
}

/* How many things lie in the trash. */
static bool trash_is_empty(void)
{
	return !exists("trash") || !unlinkat(ctl.dir_fd, "trash", AT_REMOVEDIR);
}

static void test_what_is_given_away_goes_with_all_below_it(void **unused)
{
	(void)unused;
	make_tree("one");
	make_tree("two");
	gc_put(&ctl, "one");
	assert_true(exists("one")); /* the loop waits for no disk */
	lane_works();
	assert_false(exists("one"));
	assert_true(exists("two/below/file"));
	assert_true(trash_is_empty());
}

static void test_a_full_disk_has_room_for_a_removal(void **unused)
{
	(void)unused;
	make_tree("one");
	full = true;
	gc_put(&ctl, "one");
	lane_works();
	assert_false(exists("one"));
}

static void test_what_is_not_there_is_no_error(void **unused)
{
	(void)unused;
	assert_int_equal(gc_remove(ctl.dir_fd, "nothing"), 0);
	make_tree("one");
	gc_put(&ctl, "one");
	gc_put(&ctl, "one"); /* twice */
	lane_works();
	assert_false(exists("one"));
}

static void test_a_link_is_removed_and_not_followed(void **unused)
{
	(void)unused;
	make_tree("kept");
	assert_int_equal(symlinkat("kept", ctl.dir_fd, "link"), 0);
	assert_int_equal(gc_remove(ctl.dir_fd, "link"), 0);
	assert_false(exists("link"));
	assert_true(exists("kept/below/file"));
}

static void test_the_trash_of_an_earlier_process_goes_at_start(void **unused)
{
	(void)unused;
	make_tree("trash");
	gc_sweep(&ctl);
	assert_true(exists("trash/below/file"));
	lane_works();
	assert_false(exists("trash/below"));
}

static void test_a_close_leaves_what_waits_and_what_runs(void **unused)
{
	struct disk_task *running;

	(void)unused;
	make_tree("one");
	make_tree("two");
	gc_put(&ctl, "one");
	gc_put(&ctl, "two");
	running = next_begins();
	gc_close(&ctl);
	assert_true(list_empty(&tasks));
	assert_true(exists("two"));
	running->done(running); /* the loop may still turn */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_given_away_goes_with_all_below_it),
		TEST(test_a_full_disk_has_room_for_a_removal),
		TEST(test_what_is_not_there_is_no_error),
		TEST(test_a_link_is_removed_and_not_followed),
		TEST(test_the_trash_of_an_earlier_process_goes_at_start),
		TEST(test_a_close_leaves_what_waits_and_what_runs),
	};

	return cmocka_run_group_tests_name("control/storage/gc", tests, NULL, NULL);
}
