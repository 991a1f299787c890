/* Machines that run without their daemon are found by what priv has written of them. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/proc.h"
#include "cli/machines.h"

static void fact(int root, const char *machine, const char *name, const char *text)
{
	autofree char *dir = xasprintf("m/%s", machine);
	autofree char *path = xasprintf("m/%s/%s", machine, name);
	autoclose int fd = -1;

	assert_int_equal(io_mkdir(root, dir, 0700), 0);
	fd = openat(root, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(io_write_full(fd, text, strlen(text)), 0);
}

static void test_machines_that_live_and_are_no_builds_are_counted(void **unused)
{
	unsigned long long started = proc_start_time(getpid());
	autofree char *alive = xasprintf("%d %llu\n", (int)getpid(), started);
	autofree char *other = xasprintf("%d %llu\n", (int)getpid(), started + 1);
	const struct {
		const char *machine, *owner, *pid;
	} rows[] = {
		{ "m-1", "control", alive },  { "m-2", "image", alive },
		{ "m-3", "control", other },  { "m-4", "control", "" },
		{ "m-5", "control", "1 0" },  { "m-6", "control", NULL },
		{ "m-7", "control", "nope" }, { "m-8", "control", alive },
	};
	char dir[] = "/tmp/doze-test-machines-XXXXXX";
	int root;

	(void)unused;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(machines_alive(dir), 0);
	root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(io_mkdir(root, "m", 0700), 0);
	assert_int_equal(machines_alive(dir), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fact(root, rows[i].machine, "owner", rows[i].owner);
		if (rows[i].pid)
			fact(root, rows[i].machine, "pid", rows[i].pid);
	}
	assert_int_equal(machines_alive(dir), 2);
	close(root);
	assert_int_equal(io_remove_tree(AT_FDCWD, dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_machines_that_live_and_are_no_builds_are_counted),
	};

	return cmocka_run_group_tests_name("cli/machines", tests, NULL, NULL);
}
