/* The removal of a version, on a disk that may refuse to move its files away. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "image/maintenance.h"
#include "net/fork_task.h"

#define IMAGE "0f8fad5b-d9cb-469f-a165-70867728950e"

static struct {
	struct image_role role;
	struct chan_uv *control; /* never looked at */
	char path[64];
	int rename_errno;
	bool forks;
	unsigned removed; /* answers to control */
} world;

int __real_renameat(int from_dir, const char *from, int dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int dir, const char *to);
void __wrap_chan_uv_send(struct chan_uv *c, uint32_t type, uint64_t tag, const void *body,
			 size_t size, const int *fds, unsigned n_fds);
struct fork_task *__wrap_fork_task_start(uv_loop_t *loop, fork_task_fn *fn, void *fn_arg,
					 const int *keep, size_t n_keep, fork_task_done *done,
					 void *done_arg, struct err *e);

int __wrap_renameat(int from_dir, const char *from, int dir, const char *to)
{
	errno = world.rename_errno;
	return errno ? -1 : __real_renameat(from_dir, from, dir, to);
}

void __wrap_chan_uv_send(struct chan_uv *c, uint32_t type, uint64_t tag, const void *body,
			 size_t size, const int *fds, unsigned n_fds)
{
	(void)c, (void)body, (void)fds, (void)n_fds;
	assert_int_equal(type, BUILD_REMOVED);
	assert_int_equal(tag, 7);
	assert_int_equal(size, sizeof(struct build_version));
	world.removed++;
}

struct fork_task *__wrap_fork_task_start(uv_loop_t *loop, fork_task_fn *fn, void *fn_arg,
					 const int *keep, size_t n_keep, fork_task_done *done,
					 void *done_arg, struct err *e)
{
	(void)loop, (void)keep, (void)n_keep;
	if (!world.forks) {
		(void)err_set(e, ERR_INTERNAL, "no memory");
		return NULL;
	}
	done(done_arg, fn(fn_arg));
	return (void *)&world;
}

static int set_up(void **unused)
{
	(void)unused;
	memset(&world, 0, sizeof(world));
	snprintf(world.path, sizeof(world.path), "/tmp/doze-test-bases-%d", (int)getpid());
	mkdir(world.path, 0700);
	world.role.images_fd = open(world.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	world.role.control = (void *)&world.control;
	world.forks = true;
	assert_int_equal(mkdirat(world.role.images_fd, IMAGE, 0700), 0);
	assert_int_equal(mkdirat(world.role.images_fd, IMAGE "/3", 0700), 0);
	assert_int_equal(mkdirat(world.role.images_fd, IMAGE "/3/files", 0700), 0);
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	fd_close(&world.role.images_fd);
	return io_remove_tree(AT_FDCWD, world.path);
}

static bool is_there(const char *name)
{
	return faccessat(world.role.images_fd, name, F_OK, 0) == 0;
}

static void remove_it(const char *image)
{
	struct ipc_msg m = { .head = { .type = BUILD_REMOVE, .tag = 7 } };
	struct build_version version = { .version = 3 };

	snprintf(version.image, sizeof(version.image), "%s", image);
	memcpy(m.body, &version, sizeof(version));
	remove_version(&world.role, &m);
}

static void test_a_removed_version_leaves_nothing(void **unused)
{
	(void)unused;
	remove_it(IMAGE);
	assert_int_equal(world.removed, 1);
	assert_false(is_there(IMAGE));
	remove_it(IMAGE); /* asked again: there is nothing left to do */
	remove_it("../etc");
	assert_int_equal(world.removed, 3);
}

static void test_a_version_whose_files_cannot_be_moved_away_is_not_removed(void **unused)
{
	(void)unused;
	world.rename_errno = EIO;
	remove_it(IMAGE);
	assert_int_equal(world.removed, 0);
	assert_true(is_there(IMAGE "/3/files"));
	world.rename_errno = 0;
	remove_it(IMAGE);
	assert_int_equal(world.removed, 1);
	assert_false(is_there(IMAGE));
}

static void test_files_that_are_moved_away_are_left_to_the_sweep(void **unused)
{
	(void)unused;
	world.forks = false;
	remove_it(IMAGE);
	assert_int_equal(world.removed, 1);
	assert_false(is_there(IMAGE "/3"));
	assert_true(is_there(IMAGE "/.3.gone/files"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_removed_version_leaves_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_version_whose_files_cannot_be_moved_away_is_not_removed, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_files_that_are_moved_away_are_left_to_the_sweep, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("image/bases", tests, NULL, NULL);
}
