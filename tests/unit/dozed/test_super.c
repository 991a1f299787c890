/* The end of the roles: in order, and none is killed while it gets on.
 *
 * The roles are this program again, started by the supervisor as it starts the real ones.  What
 * they do when they are told to stop is in the name of their instance. */

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/log.h"
#include "dozed/roles.h"
#include "dozed/super.h"

#define PATIENCE_MS 600
#define BUSY_MS     900 /* more than the patience */

const struct role_def role_defs[ROLE_NUM];
const enum role role_pairs[][2] = { { ROLE_CONTROL, ROLE_PRIV } };
const size_t role_n_pairs = 0;

int role_drop(const struct conf *conf, enum role role, pid_t parent, struct err *e)
{
	(void)conf;
	(void)role;
	(void)parent;
	(void)e;
	return 0;
}

static void fake_tell(uint32_t type)
{
	const struct ipc_head head = { .type = type, .size = sizeof(struct super_which) };
	const struct super_which none = { 0, 0 };

	if (ipc_send(SUPER_FD, &head, &none, NULL, 0))
		_exit(2);
}

/* Where the programs are: the roles note there how they ended, with a + if machines are to stay. */
static void fake_note(const char *program, const char *role, bool keep)
{
	autofree char *dir = xstrdup(program);
	autofree char *path = NULL;
	autoclose int fd = -1;

	*strrchr(dir, '/') = '\0';
	path = xasprintf("%s/ended", dir);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	(void)!write(fd, role, strlen(role));
	(void)!write(fd, keep ? "+ " : " ", keep ? 2 : 1);
}

static void fake_stop(const char *role, const char *instance)
{
	if (strcmp(role, "control") != 0)
		return;
	while (!strcmp(instance, "silent"))
		pause();
	for (int ms = 0; !strcmp(instance, "busy") && ms < BUSY_MS; ms += 50) {
		fake_tell(SUPER_PROGRESS);
		poll(NULL, 0, 50);
	}
}

static int fake_role(const char *program, const char *role, const char *instance)
{
	struct pollfd wait = { .fd = SUPER_FD, .events = POLLIN };
	static struct ipc_msg m;
	struct super_which how;

	for (;;) {
		if (poll(&wait, 1, -1) != 1 ||
		    ipc_recv(SUPER_FD, &m, super_rows, SUPER_NUM_TYPES) != 1)
			return 2;
		if (m.head.type == SUPER_START)
			fake_tell(SUPER_READY);
		if (m.head.type == SUPER_START && !strcmp(role, "control") &&
		    !strcmp(instance, "dying"))
			return 1;
		if (m.head.type == SUPER_STOP) {
			memcpy(&how, m.body, sizeof(how));
			fake_stop(role, instance);
			fake_note(program, role, how.which);
			return !strcmp(role, "control") && !strcmp(instance, "failing");
		}
		ipc_msg_close(&m);
	}
}

static char dir[] = "/tmp/doze-test-super-XXXXXX";

static int setup(void **unused)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	(void)unused;
	if (n < 0)
		return -1;
	self[n] = '\0';
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	for (size_t i = 0; i < ROLE_NUM; i++) {
		autofree char *path = xasprintf("%s/dozed-%s", dir, role_name[i]);
		autofree char *text =
			xasprintf("#!/bin/sh\nexec %s fake %s \"$2\" \"$4\"\n", self, path);
		autoclose int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);

		if (fd < 0 || io_write_full(fd, text, strlen(text)))
			return -1;
	}
	return 0;
}

static int teardown(void **unused)
{
	(void)unused;
	return io_remove_tree(AT_FDCWD, dir);
}

/* Run the supervisor of such an instance, end it by @signal once it serves, and take its status. */
static int stop_instance(const char *instance, int signal)
{
	struct super_patience patience = { PATIENCE_MS, PATIENCE_MS, PATIENCE_MS };
	struct super_setup s = { .patience = &patience,
				 .config_file = "",
				 .pid_file = memfd_create("pid", MFD_CLOEXEC) };
	struct conf conf;
	autobuf struct buf said = { 0 };
	int ready[2], status;
	struct err e;
	pid_t pid;
	char byte;

	conf_defaults(&conf, instance);
	snprintf(conf.libexec_dir, sizeof(conf.libexec_dir), "%s", dir);
	s.conf = &conf;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	s.ready_fd = ready[1];
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(super_run(&s, &e) ? 1 : s.stopped ? 0 : 2);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_int_equal(lseek(s.pid_file, 0, SEEK_END), 0);
	assert_int_equal(kill(pid, signal), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(lseek(s.pid_file, 0, SEEK_SET), 0);
	assert_int_equal(io_read_all(s.pid_file, &said, 64), 0);
	assert_string_equal(buf_str(&said), "stopping\n");
	close(s.pid_file);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static char *ended(void)
{
	autofree char *path = xasprintf("%s/ended", dir);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	autobuf struct buf text = { 0 };

	assert_int_equal(io_read_all(fd, &text, 1024), 0);
	return xstrdup(buf_str(&text));
}

static void expect_ended(const char *order)
{
	autofree char *text = ended();

	assert_string_equal(text, order);
}

static void test_roles_are_stopped_one_after_the_other_in_reverse_order(void **unused)
{
	(void)unused;
	assert_int_equal(stop_instance("plain", SIGINT), 0);
	expect_ended("proxy control image objects priv ");
}

static void test_a_role_is_not_killed_while_it_says_that_it_gets_on(void **unused)
{
	(void)unused;
	assert_int_equal(stop_instance("busy", SIGINT), 0);
	expect_ended("proxy control image objects priv ");
}

static void test_a_silent_role_is_killed_alone_and_the_others_end_in_order(void **unused)
{
	(void)unused;
	assert_int_equal(stop_instance("silent", SIGINT), 1);
	expect_ended("proxy image+ objects+ priv+ ");
}

static void test_where_machines_stay_no_role_holds_up_the_end(void **unused)
{
	(void)unused;
	assert_int_equal(stop_instance("silent", SIGTERM), 1);
	expect_ended("proxy+ ");
}

static void test_machines_stay_where_control_waits_to_be_started_again(void **unused)
{
	autofree char *text = NULL;

	(void)unused;
	assert_int_equal(stop_instance("dying", SIGINT), 1);
	text = ended();
	/* The proxy is told before or after the supervisor has seen that control is dead. */
	assert_string_equal(strchr(text, ' '), " image+ objects+ priv+ ");
}

static void test_machines_stay_where_control_could_not_suspend_them_all(void **unused)
{
	(void)unused;
	assert_int_equal(stop_instance("failing", SIGINT), 1);
	expect_ended("proxy control image+ objects+ priv+ ");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_roles_are_stopped_one_after_the_other_in_reverse_order, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_a_role_is_not_killed_while_it_says_that_it_gets_on, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_silent_role_is_killed_alone_and_the_others_end_in_order, setup,
			teardown),
		cmocka_unit_test_setup_teardown(test_where_machines_stay_no_role_holds_up_the_end,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_machines_stay_where_control_waits_to_be_started_again, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_machines_stay_where_control_could_not_suspend_them_all, setup,
			teardown),
	};

	if (argc == 5 && !strcmp(argv[1], "fake"))
		return fake_role(argv[2], argv[3], argv[4]);
	return cmocka_run_group_tests_name("dozed/super", tests, NULL, NULL);
}
