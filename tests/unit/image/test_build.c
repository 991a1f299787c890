/* The end of a build, which has nobody to ask: priv, objects and control are not there. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "image/build.h"

#define IMAGE   "0b5e7a3c-1f0d-4c58-9a55-4b1f1c2d3e4f"
#define BUILD   "7c9e6679-7425-40de-944b-e07fc1f90ae7"
#define VERSION 3

static bool fork_fails;

pid_t __real_fork(void);
pid_t __wrap_fork(void)
{
	if (!fork_fails)
		return __real_fork();
	errno = EAGAIN;
	return -1;
}

static bool last_fsync_fails; /* with the version in its place */

int __real_fsync(int fd);
int __wrap_fsync(int fd)
{
	if (!last_fsync_fails || faccessat(fd, "3", F_OK, 0))
		return __real_fsync(fd);
	errno = EIO;
	return -1;
}

static const void *watched; /* set NULL when it is freed */

void __real_free(void *p);
void __wrap_free(void *p)
{
	if (p && p == watched)
		watched = NULL;
	__real_free(p);
}

static struct fixture {
	uv_loop_t loop;
	struct conf conf;
	struct image_role role;
	char path[64];
	int top;
} * f;

static int open_below(const char *path, int flags)
{
	int fd = io_open_below(f->top, path, flags, 0);

	assert_true(fd >= 0);
	return fd;
}

static int begin(void **state)
{
	(void)state;
	f = calloc(1, sizeof(*f));
	fork_fails = last_fsync_fails = false;
	watched = NULL;
	snprintf(f->path, sizeof(f->path), "/tmp/doze-test-image-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->top = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	conf_defaults(&f->conf, "");
	snprintf(f->conf.data_dir, sizeof(f->conf.data_dir), "%s", f->path);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->loop.data = &f->role;
	f->role.loop = &f->loop;
	f->role.conf = &f->conf;
	f->role.control_gid = getgid();
	list_init(&f->role.requests);
	list_init(&f->role.jobs);
	list_init(&f->role.vms);
	list_init(&f->role.builds);
	assert_int_equal(mkdirat(f->top, "images", 0700), 0);
	assert_int_equal(mkdirat(f->top, "build", 0700), 0);
	assert_int_equal(mkdirat(f->top, "log", 0700), 0);
	f->role.images_fd = open_below("images", O_RDONLY | O_DIRECTORY);
	f->role.build_fd = open_below("build", O_RDONLY | O_DIRECTORY);
	f->role.log_fd = open_below("log", O_RDONLY | O_DIRECTORY);
	return 0;
}

static int end(void **state)
{
	(void)state;
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	assert_true(list_empty(&f->role.builds));
	assert_int_equal(f->role.running, 0);
	close(f->role.images_fd);
	close(f->role.build_fd);
	close(f->role.log_fd);
	close(f->top);
	assert_int_equal(io_remove_tree(AT_FDCWD, f->path), 0);
	free(f);
	return 0;
}

static bool there_is(const char *path)
{
	return !faccessat(f->top, path, F_OK, AT_SYMLINK_NOFOLLOW);
}

/* A child of the role makes it there. */
static void wait_for(const char *path)
{
	for (int i = 0; i < 5000 && !there_is(path); i++)
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	assert_true(there_is(path));
}

/* One with its directories, as it is before its first stage. */
static struct build *new_build(void)
{
	static const char spec[] =
		"{\"bucket\":\"b\",\"key\":\"k\",\"name\":\"n\",\"imageArn\":\"arn:x\","
		"\"version\":3,\"region\":\"r\",\"memoryMib\":512}";
	struct build *b = calloc(1, sizeof(*b));
	struct err e;

	b->role = &f->role;
	snprintf(b->what.name.build, sizeof(b->what.name.build), BUILD);
	snprintf(b->what.version.image, sizeof(b->what.version.image), IMAGE);
	b->what.version.version = VERSION;
	snprintf(b->files.dir_name, sizeof(b->files.dir_name), BUILD);
	snprintf(b->files.draft_name, sizeof(b->files.draft_name), ".%d.new", VERSION);
	assert_int_equal(mkdirat(f->top, "build/" BUILD, 0700), 0);
	assert_int_equal(mkdirat(f->top, "images/" IMAGE, 0700), 0);
	assert_int_equal(mkdirat(f->top, "images/" IMAGE "/.3.new", 0700), 0);
	b->files.dir_fd = open_below("build/" BUILD, O_RDONLY | O_DIRECTORY);
	b->files.image_fd = open_below("images/" IMAGE, O_RDONLY | O_DIRECTORY);
	b->files.draft_fd = open_below("images/" IMAGE "/.3.new", O_RDONLY | O_DIRECTORY);
	b->boot.explanation_fd = b->files.root_fd = -1;
	b->log.fd = b->artifact.fd = b->clone.memory_fd = b->clone.from_fd = b->clone.touched_fd =
		-1;
	for (size_t i = 0; i < SAVE_NUM_FDS; i++)
		b->save_fds[i] = -1;
	assert_int_equal(spec_read(&b->spec, spec, strlen(spec), &e), 0);
	list_add(&f->role.builds, &b->in);
	f->role.running++;
	return b;
}

/* In its last stage, with all that a version is made of. */
static struct build *finished_build(void)
{
	static const char *const names[] = { "root",  "overlay", "disk",        "header",
					     "state", "memory",  BUILD_APP_FILE };
	struct build *b = new_build();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		close(openat(b->files.draft_fd, names[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	while (!build_is_at(b, build_commit))
		b->stage.at++;
	return b;
}

static void a_build_is_still_there_when_the_call_that_ended_it_returns(void **unused)
{
	struct build *b = new_build();

	(void)unused;
	fork_fails = true;
	watched = b;
	build_fetch(b); /* there is no object store */
	assert_non_null(watched);
	assert_true(b->clearing);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_null(watched);
}

static void a_version_that_is_stored_stays(void **unused)
{
	struct build *b = finished_build();

	(void)unused;
	build_commit(b);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_true(there_is("images/" IMAGE "/3/spec.json"));
	assert_true(there_is("images/" IMAGE "/3/memory"));
	assert_false(there_is("images/" IMAGE "/.3.new"));
	assert_false(there_is("build/" BUILD));
}

static void a_build_that_is_cancelled_while_its_version_is_stored_leaves_none(void **unused)
{
	struct build *b = finished_build();

	(void)unused;
	build_commit(b);
	wait_for("images/" IMAGE "/3"); /* its rename is done, which the loop has not heard */
	build_fail(b, CODE_INTERNAL, "The build was cancelled.");
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_false(there_is("images/" IMAGE "/3"));
	assert_false(there_is("images/" IMAGE));
	assert_false(there_is("build/" BUILD));
}

static void a_version_whose_last_fsync_fails_is_not_left_in_its_place(void **unused)
{
	struct build *b = finished_build();

	(void)unused;
	last_fsync_fails = true;
	build_commit(b);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_false(there_is("images/" IMAGE));
}

static void no_version_stays_even_if_nothing_can_be_deleted(void **unused)
{
	struct build *b = finished_build();

	(void)unused;
	build_commit(b);
	wait_for("images/" IMAGE "/3");
	fork_fails = true;
	build_fail(b, CODE_INTERNAL, "The build was cancelled.");
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_false(there_is("images/" IMAGE "/3"));
	assert_true(there_is("images/" IMAGE "/.3.new")); /* the next sweep's */
}

static void a_build_that_is_cancelled_before_its_version_is_stored_leaves_none(void **unused)
{
	struct build *b = finished_build();

	(void)unused;
	build_commit(b);
	build_fail(b, CODE_INTERNAL, "The build was cancelled.");
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_false(there_is("images/" IMAGE));
}

static void a_build_that_fails_early_leaves_an_earlier_version_alone(void **unused)
{
	struct build *b = new_build();

	(void)unused;
	assert_int_equal(mkdirat(b->files.image_fd, "2", 0700), 0);
	build_fetch(b);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_true(there_is("images/" IMAGE "/2"));
	assert_false(there_is("images/" IMAGE "/.3.new"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_build_is_still_there_when_the_call_that_ended_it_returns, begin, end),
		cmocka_unit_test_setup_teardown(a_version_that_is_stored_stays, begin, end),
		cmocka_unit_test_setup_teardown(
			a_build_that_is_cancelled_while_its_version_is_stored_leaves_none, begin,
			end),
		cmocka_unit_test_setup_teardown(
			a_version_whose_last_fsync_fails_is_not_left_in_its_place, begin, end),
		cmocka_unit_test_setup_teardown(no_version_stays_even_if_nothing_can_be_deleted,
						begin, end),
		cmocka_unit_test_setup_teardown(
			a_build_that_is_cancelled_before_its_version_is_stored_leaves_none, begin,
			end),
		cmocka_unit_test_setup_teardown(
			a_build_that_fails_early_leaves_an_earlier_version_alone, begin, end),
	};

	alarm(60);
	return cmocka_run_group_tests_name("image/build", tests, NULL, NULL);
}
