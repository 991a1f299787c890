/* Checkpoints on disk: their names, their numbers, and which of them counts. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "control/storage/checkpoint_dir.h"

#define ID      "microvm-1"
#define MACHINE "m-1"

/* The disk: its fsync and its rename fail when they are told to. */
static int fsyncs_until_eio, renames_until_eio; /* 0: never */

static bool fails(int *until)
{
	if (!*until || --*until)
		return false;
	errno = EIO;
	return true;
}

int fsync(int fd)
{
	(void)fd;
	return fails(&fsyncs_until_eio) ? -1 : 0;
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	return fails(&renames_until_eio) ? -1 : renameat2(from_fd, from, to_fd, to, 0);
}

/* Another worker makes the same draft in between. */
static bool somebody_is_faster;

int mkdirat(int fd, const char *path, mode_t mode)
{
	if (somebody_is_faster && strstr(path, ".save-")) {
		somebody_is_faster = false;
		assert_int_equal(syscall(SYS_mkdirat, fd, path, mode), 0);
	}
	return (int)syscall(SYS_mkdirat, fd, path, mode);
}

static char root[] = "/tmp/doze-checkpoint-XXXXXX";
static int dir_fd = -1;

static void make(const char *path, const char *text)
{
	int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int begin(void **unused)
{
	(void)unused;
	strcpy(root + strlen(root) - strlen("XXXXXX"), "XXXXXX");
	assert_non_null(mkdtemp(root));
	dir_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(dir_fd, "microvms", 0700), 0);
	assert_int_equal(mkdirat(dir_fd, "machines", 0700), 0);
	assert_int_equal(mkdirat(dir_fd, "machines/" MACHINE, 0700), 0);
	make("machines/" MACHINE "/overlay", "its disk");
	fsyncs_until_eio = renames_until_eio = 0;
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	close(dir_fd);
	return io_remove_tree(AT_FDCWD, root);
}

static int64_t draft(int64_t above)
{
	int fds[SAVE_NUM_FDS];
	struct err e;
	int64_t n;

	assert_int_equal(checkpoint_dir_draft(dir_fd, ID, MACHINE, above, &n, fds, &e), 0);
	for (size_t i = 0; i < SAVE_NUM_FDS; i++)
		close(fds[i]);
	return n;
}

/* Of no section. */
static const char empty_header[73] = "DOZESNAP";

static void make_header(const char *path, size_t size)
{
	int fd = openat(dir_fd, path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, empty_header, size), size);
	close(fd);
}

static int64_t complete_draft(int64_t above)
{
	char path[CHECKPOINT_PATH];
	int64_t n = draft(above);

	checkpoint_dir_path(path, ID, n, true, "header");
	make_header(path, 72);
	return n;
}

static bool exists(const char *path)
{
	return !faccessat(dir_fd, path, F_OK, 0);
}

static void test_a_name_is_parsed_strictly(void **unused)
{
	static const struct {
		const char *name;
		int64_t n; /* 0: it is no checkpoint's */
		bool draft;
	} rows[] = {
		{ "save-1", 1, false },
		{ ".save-12.new", 12, true },
		{ "save-9223372036854775807", INT64_MAX, false },
		{ "save-9223372036854775808", 0, false },
		{ "save-", 0, false },
		{ "save-0", 0, false },
		{ "save-01", 0, false },
		{ "save--1", 0, false },
		{ "save-+1", 0, false },
		{ "save- 1", 0, false },
		{ "save-1.new", 0, false },
		{ ".save-1", 0, false },
		{ ".save-1.new2", 0, false },
		{ "save-1x", 0, false },
		{ "", 0, false },
		{ ".", 0, false },
		{ "..", 0, false },
		{ "disk", 0, false },
	};
	bool is_draft;
	int64_t n;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(checkpoint_parse_name(rows[i].name, &n, &is_draft), rows[i].n > 0);
		if (!rows[i].n)
			continue;
		assert_int_equal(n, rows[i].n);
		assert_int_equal(is_draft, rows[i].draft);
	}
}

static void test_a_path_has_the_name_that_is_parsed(void **unused)
{
	char path[CHECKPOINT_PATH];

	(void)unused;
	checkpoint_dir_path(path, ID, 7, false, "header");
	assert_string_equal(path, "microvms/" ID "/save-7/header");
	checkpoint_dir_path(path, ID, 7, true, "");
	assert_string_equal(path, "microvms/" ID "/.save-7.new");
}

static void test_a_number_is_not_used_twice(void **unused)
{
	(void)unused;
	assert_int_equal(draft(0), 1);
	assert_int_equal(draft(0), 2); /* one that is not complete counts too */
	assert_int_equal(draft(9), 10);
	assert_int_equal(io_remove_tree(dir_fd, "microvms/" ID "/.save-10.new"), 0);
	assert_int_equal(draft(10), 11); /* the caller knows of one that is gone */
}

static void test_a_draft_links_the_disk_of_its_machine(void **unused)
{
	struct stat disk, kept;

	(void)unused;
	draft(0);
	assert_int_equal(fstatat(dir_fd, "machines/" MACHINE "/overlay", &disk, 0), 0);
	assert_int_equal(fstatat(dir_fd, "microvms/" ID "/.save-1.new/disk", &kept, 0), 0);
	assert_int_equal(disk.st_ino, kept.st_ino);
}

static void test_a_draft_that_cannot_be_made_leaves_nothing(void **unused)
{
	int fds[SAVE_NUM_FDS];
	struct err e;
	int64_t n;

	(void)unused;
	assert_int_equal(checkpoint_dir_draft(dir_fd, ID, "m-none", 0, &n, fds, &e), -1);
	assert_false(exists("microvms/" ID "/.save-1.new"));
	for (size_t i = 0; i < SAVE_NUM_FDS; i++)
		assert_int_equal(fds[i], -1);
}

static void test_the_newest_complete_draft_is_published(void **unused)
{
	struct err e;
	int64_t n;

	(void)unused;
	complete_draft(0);
	complete_draft(0);
	draft(0);
	assert_int_equal(checkpoint_dir_publish(dir_fd, ID, 0, &n, &e), 0);
	assert_int_equal(n, 2);
	assert_true(exists("microvms/" ID "/save-2/header"));
	assert_true(exists("microvms/" ID "/.save-1.new"));
	assert_true(exists("microvms/" ID "/.save-3.new"));
}

static void test_what_is_not_newer_is_not_published(void **unused)
{
	struct err e;
	int64_t n;

	(void)unused;
	complete_draft(0);
	assert_int_equal(checkpoint_dir_publish(dir_fd, ID, 1, &n, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(checkpoint_dir_publish(dir_fd, "microvm-none", 0, &n, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	draft(1);
	assert_int_equal(checkpoint_dir_publish(dir_fd, ID, 1, &n, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
}

static void publish_after(int *until, int failing)
{
	struct err e;
	int64_t n;

	*until = failing;
	assert_int_equal(checkpoint_dir_publish(dir_fd, ID, 0, &n, &e), -1);
	assert_int_not_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(*until, 0);
	assert_int_equal(checkpoint_dir_publish(dir_fd, ID, 0, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_true(exists("microvms/" ID "/save-1/header"));
}

/* Four files, the draft, and after the rename the two directories above. */
static void test_publishing_goes_on_after_any_fsync_that_failed(void **unused)
{
	(void)unused;
	for (int i = 1; i <= 7; i++) {
		complete_draft(0);
		publish_after(&fsyncs_until_eio, i);
		assert_int_equal(io_remove_tree(dir_fd, "microvms/" ID), 0);
	}
}

static void test_publishing_goes_on_after_a_rename_that_failed(void **unused)
{
	(void)unused;
	complete_draft(0);
	publish_after(&renames_until_eio, 1);
}

/* Who cannot look does not say that there is nothing: the microVM would be given up. */
static void test_a_directory_that_cannot_be_read_is_not_an_empty_one(void **unused)
{
	struct rlimit was, none;
	struct checkpoint_list list;
	int fds[SAVE_NUM_FDS], found, listed, published, drafted;
	struct err e = { 0 }, draft_e = { 0 };
	bool is_draft;
	int64_t n;

	(void)unused;
	complete_draft(0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	found = checkpoint_dir_find(dir_fd, ID, 0, &n, &is_draft);
	listed = checkpoint_dir_list(dir_fd, ID, &list);
	published = checkpoint_dir_publish(dir_fd, ID, 0, &n, &e);
	drafted = checkpoint_dir_draft(dir_fd, ID, MACHINE, 0, &n, fds, &draft_e);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(found, -EMFILE);
	assert_int_equal(listed, -EMFILE);
	assert_int_equal(published, -1);
	assert_int_equal(e.kind, ERR_INTERNAL);
	assert_int_equal(drafted, -1);
	assert_true(exists("microvms/" ID "/.save-1.new/header"));
}

static void test_a_number_that_was_just_taken_is_left_to_its_owner(void **unused)
{
	(void)unused;
	somebody_is_faster = true;
	assert_int_equal(draft(0), 2);
	assert_true(exists("microvms/" ID "/.save-1.new"));
	assert_false(exists("microvms/" ID "/.save-1.new/disk"));
}

static void test_a_checkpoint_that_lacks_a_file_is_not_opened(void **unused)
{
	int fds[CHECKPOINT_NUM_FDS];
	struct err e;
	int64_t n;

	(void)unused;
	complete_draft(0);
	assert_int_equal(checkpoint_dir_publish(dir_fd, ID, 0, &n, &e), 0);
	assert_int_equal(checkpoint_open(dir_fd, ID, 1, fds, &e), 0);
	for (size_t i = 0; i < CHECKPOINT_NUM_FDS; i++)
		close(fds[i]);
	assert_int_equal(unlinkat(dir_fd, "microvms/" ID "/save-1/memory", 0), 0);
	assert_int_equal(checkpoint_open(dir_fd, ID, 1, fds, &e), -1);
	for (size_t i = 0; i < CHECKPOINT_NUM_FDS; i++)
		assert_int_equal(fds[i], -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void test_a_header_that_was_cut_off_is_not_whole(void **unused)
{
	uint8_t head[72 + 2 * 32] = "DOZESNAP";

	(void)unused;
	head[64] = 2;
	head[72 + 16] = 136; /* the first section: 100 bytes behind the table */
	head[72 + 24] = 100;
	head[104 + 16] = 236; /* the second one: 20 more */
	head[104 + 24] = 20;
	assert_true(checkpoint_header_whole(head, sizeof(head), 256));
	assert_false(checkpoint_header_whole(head, sizeof(head), 255));
	for (size_t n = 0; n < sizeof(head); n++)
		assert_false(checkpoint_header_whole(head, n, n));
	memset(head + 104 + 24, 0xff, 8);
	assert_false(checkpoint_header_whole(head, sizeof(head), 256));
	head[0] = 'd';
	assert_false(checkpoint_header_whole(head, sizeof(head), 256));
}

static void test_a_draft_with_half_a_header_is_not_found(void **unused)
{
	char path[CHECKPOINT_PATH];
	int64_t n = draft(0), found;
	bool is_draft;

	(void)unused;
	checkpoint_dir_path(path, ID, n, true, "header");
	unlinkat(dir_fd, path, 0);
	make_header(path, 4);
	assert_int_equal(checkpoint_dir_find(dir_fd, ID, 0, &found, &is_draft), 0);
	assert_int_equal(found, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_header_that_was_cut_off_is_not_whole),
		TEST(test_a_draft_with_half_a_header_is_not_found),
		cmocka_unit_test(test_a_name_is_parsed_strictly),
		cmocka_unit_test(test_a_path_has_the_name_that_is_parsed),
		TEST(test_a_number_is_not_used_twice),
		TEST(test_a_draft_links_the_disk_of_its_machine),
		TEST(test_a_draft_that_cannot_be_made_leaves_nothing),
		TEST(test_the_newest_complete_draft_is_published),
		TEST(test_what_is_not_newer_is_not_published),
		TEST(test_publishing_goes_on_after_any_fsync_that_failed),
		TEST(test_publishing_goes_on_after_a_rename_that_failed),
		TEST(test_a_directory_that_cannot_be_read_is_not_an_empty_one),
		TEST(test_a_number_that_was_just_taken_is_left_to_its_owner),
		TEST(test_a_checkpoint_that_lacks_a_file_is_not_opened),
	};

	return cmocka_run_group_tests_name("control/storage/checkpoint_dir", tests, NULL, NULL);
}
