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
		if (m.head.type == SUPER_DRAIN) {
			fake_note(program, "drained", false);
			return 0;
		}
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

struct running {
	struct super_setup setup;
	struct conf conf;
	pid_t pid;
};

/* Run the supervisor of such an instance until it serves. */
static void start_instance(struct running *r, const char *instance, unsigned workers)
{
	static const struct super_patience patience = { PATIENCE_MS, PATIENCE_MS, PATIENCE_MS };
	int ready[2];
	struct err e;
	char byte;

	r->setup = (struct super_setup){ .conf = &r->conf,
					 .patience = &patience,
					 .config_file = "",
					 .pid_file = memfd_create("pid", MFD_CLOEXEC) };
	conf_defaults(&r->conf, instance);
	r->conf.endpoint_workers = workers;
	snprintf(r->conf.libexec_dir, sizeof(r->conf.libexec_dir), "%s", dir);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	r->setup.ready_fd = ready[1];
	r->pid = fork();
	assert_true(r->pid >= 0);
	if (!r->pid)
		_exit(super_run(&r->setup, &e) ? 1 : r->setup.stopped ? 0 : 2);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
}

/* End it by @signal, and take its status. */
static int end_instance(struct running *r, int signal)
{
	autobuf struct buf said = { 0 };
	int status;

	assert_int_equal(lseek(r->setup.pid_file, 0, SEEK_END), 0);
	assert_int_equal(kill(r->pid, signal), 0);
	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	assert_int_equal(lseek(r->setup.pid_file, 0, SEEK_SET), 0);
	assert_int_equal(io_read_all(r->setup.pid_file, &said, 64), 0);
	assert_string_equal(buf_str(&said), "stopping\n");
	close(r->setup.pid_file);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int stop_instance(const char *instance, int signal)
{
	struct running r;

	start_instance(&r, instance, 1);
	return end_instance(&r, signal);
}

static char *ended(void)
{
	autofree char *path = xasprintf("%s/ended", dir);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	autobuf struct buf text = { 0 };

	if (fd >= 0)
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

/* Puts another program in the place of the workers'. */
static void write_proxy(const char *text)
{
	autofree char *path = xasprintf("%s/dozed-proxy", dir);
	autofree char *fresh = xasprintf("%s/fresh", dir);
	autoclose int fd = open(fresh, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);

	assert_int_equal(io_write_full(fd, text, strlen(text)), 0);
	fd_close(&fd);
	assert_int_equal(rename(fresh, path), 0);
}

static void write_new_proxy(void)
{
	char self[PATH_MAX] = "";
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	autofree char *text = xasprintf(
		"#!/bin/sh\n# another one\nexec %s fake %s/dozed-proxy \"$2\" \"$4\"\n", self, dir);
	assert_true(n > 0);
	write_proxy(text);
}

static size_t children(pid_t pid)
{
	autofree char *path = xasprintf("/proc/%d/task/%d/children", (int)pid, (int)pid);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	autobuf struct buf text = { 0 };
	size_t n = 0;

	assert_int_equal(io_read_all(fd, &text, 4096), 0);
	for (const char *at = buf_str(&text); (at = strchr(at, ' ')); at++)
		n++;
	return n;
}

static void wait_for_ended(const char *what)
{
	for (bool over = false; !over; poll(NULL, 0, 10)) {
		autofree char *text = ended();

		over = !strcmp(text, what);
	}
}

static void wait_for_children(pid_t pid, size_t n)
{
	while (children(pid) != n) /* the test's own time-out ends it */
		poll(NULL, 0, 10);
}

static void test_all_workers_of_the_proxy_are_started_and_stopped(void **unused)
{
	struct running r;

	(void)unused;
	start_instance(&r, "plain", 3);
	assert_int_equal(children(r.pid), ROLE_PROXY + 3);
	assert_int_equal(end_instance(&r, SIGINT), 0);
	expect_ended("proxy proxy proxy control image objects priv ");
}

static void test_a_reload_replaces_workers_whose_program_is_another_one(void **unused)
{
	struct running r;

	(void)unused;
	start_instance(&r, "plain", 2);
	write_new_proxy();
	assert_int_equal(kill(r.pid, SIGHUP), 0);
	wait_for_ended("drained drained ");
	wait_for_children(r.pid, ROLE_PROXY + 2);
	write_new_proxy();
	assert_int_equal(kill(r.pid, SIGHUP), 0);
	wait_for_ended("drained drained drained drained ");
	wait_for_children(r.pid, ROLE_PROXY + 2);
	assert_int_equal(end_instance(&r, SIGINT), 0);
	expect_ended("drained drained drained drained proxy proxy control image objects priv ");
}

static void test_a_reload_leaves_workers_alone_that_would_be_the_same(void **unused)
{
	struct running r;

	(void)unused;
	start_instance(&r, "plain", 2);
	assert_int_equal(kill(r.pid, SIGHUP), 0);
	assert_int_equal(end_instance(&r, SIGINT), 0);
	expect_ended("proxy proxy control image objects priv ");
}

static void test_the_old_workers_serve_on_where_the_new_ones_do_not_start(void **unused)
{
	autofree char *text = xasprintf("#!/bin/sh\nprintf 'broken ' >>%s/ended\nexit 1\n", dir);
	struct running r;

	(void)unused;
	start_instance(&r, "plain", 2);
	write_proxy(text);
	assert_int_equal(kill(r.pid, SIGHUP), 0);
	wait_for_ended("broken broken ");
	wait_for_children(r.pid, ROLE_PROXY + 2);
	assert_int_equal(end_instance(&r, SIGINT), 0);
	expect_ended("broken broken proxy proxy control image objects priv ");
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
		cmocka_unit_test_setup_teardown(
			test_all_workers_of_the_proxy_are_started_and_stopped, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_reload_replaces_workers_whose_program_is_another_one, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_a_reload_leaves_workers_alone_that_would_be_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_the_old_workers_serve_on_where_the_new_ones_do_not_start, setup,
			teardown),
	};

	if (argc == 5 && !strcmp(argv[1], "fake"))
		return fake_role(argv[2], argv[3], argv[4]);
	return cmocka_run_group_tests_name("dozed/super", tests, NULL, NULL);
}
