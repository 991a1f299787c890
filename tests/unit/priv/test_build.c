/* The arguments of a build, as they come behind its request, and the answer to its start, with a
 * child that does what the test says. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "priv/build.h"
#include "priv/buildns.h"
#include "priv/status.h"

/* The world: the child that was started last, and what the asker was told. */
static struct {
	struct child *child;
	int status; /* its end of the status socket, as a process below it may hold on to it */
	struct cgroup_end *end;
	void (*gone)(struct cgroup_end *end);
	unsigned done, refused, told_gone;
	char refusal[128];
} world;

int child_start(struct loop *l, struct child *c, int (*run)(void *arg), void *arg,
		void (*ended)(struct child *c, int status), struct err *e)
{
	const struct buildns_plan *plan = arg;

	(void)run;
	(void)e;
	*c = (struct child){ .loop = l, .pid = 4711, .ended = ended, .pidfd = -1 };
	world.child = c;
	world.status = dup(plan->status);
	return 0;
}

void child_kill(struct child *c)
{
	(void)c;
}

int cgroup_make(const struct cgroups *g, const char *name, const struct cgroup_limits *limits,
		struct err *e)
{
	(void)g;
	(void)name;
	(void)limits;
	(void)e;
	return 0;
}

bool cgroup_oom(const struct cgroups *g, const char *name)
{
	(void)g;
	(void)name;
	return false;
}

void cgroup_end(struct cgroup_end *end, const struct cgroups *g, const char *name,
		void (*gone)(struct cgroup_end *end))
{
	(void)g;
	(void)name;
	assert_null(world.end); /* ended once */
	world.end = end;
	world.gone = gone;
}

void layer_store_want(struct layer_store *l, struct layer_store_wait *w)
{
	(void)l;
	w->ready(w, NULL);
}

void layer_store_forget(struct layer_store_wait *w)
{
	(void)w;
}

void slot_take(struct slots *s, struct slot_wait *w)
{
	(void)s;
	w->got(w, 3, NULL);
}

void slot_forget(struct slot_wait *w)
{
	(void)w;
}

int slot_close(struct slots *s, uint32_t slot, struct err *e)
{
	(void)s;
	(void)slot;
	(void)e;
	return 0;
}

void slot_give(struct slots *s, uint32_t slot)
{
	(void)s;
	assert_int_equal(slot, 3);
}

char *slot_netns_path(const struct slots *s, uint32_t slot)
{
	(void)s;
	return xasprintf("/netns/%u", slot);
}

void host_setup_check(struct host_setup *h)
{
	(void)h;
}

int buildns_run(void *plan)
{
	(void)plan;
	return 0;
}

void priv_done(struct priv *p, const struct request *a)
{
	(void)p;
	assert_int_equal(a->tag, 77);
	world.done++;
}

void priv_refuse(struct priv *p, const struct request *a, const struct err *e)
{
	(void)p;
	assert_int_equal(a->tag, 77);
	snprintf(world.refusal, sizeof(world.refusal), "%.100s", e->text);
	world.refused++;
}

bool priv_notify(struct priv *p, enum priv_owner_role role, uint32_t type, const void *body,
		 size_t size)
{
	(void)p;
	(void)role;
	(void)body;
	(void)size;
	assert_int_equal(type, PRIV_BUILD_GONE);
	world.told_gone++;
	return true;
}

struct fixture {
	struct conf conf;
	struct priv priv;
	char dir[64];
};

static int begin(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err e;

	memset(&world, 0, sizeof(world));
	conf_defaults(&f->conf, "");
	f->priv.conf = &f->conf;
	f->priv.loop = loop_new(&e);
	f->priv.layers.owner = getuid();
	f->priv.build_gid = getgid();
	list_init(&f->priv.builds);
	snprintf(f->dir, sizeof(f->dir), "/tmp/doze-test-build-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	*state = f;
	return 0;
}

/* Whatever happened: the build ends when its group has gone, and nothing of it is left. */
static int end(void **state)
{
	struct fixture *f = *state;

	fd_close(&world.status);
	assert_non_null(world.end);
	world.gone(world.end);
	assert_true(list_empty(&f->priv.builds));
	loop_free(f->priv.loop);
	rmdir(f->dir);
	free(f);
	return 0;
}

/* A build in BUILD_STARTS: its child was made and has said nothing. */
static void start(struct fixture *f)
{
	static const char args[] = "step";
	struct ipc_msg m = { .head = { PRIV_BUILD_START, 0, 77 }, .n_fds = BUILD_NUM_FDS };
	struct priv_build what = { .n_args = 1,
				   .memory_bytes = 64 * MIB,
				   .cpu_percent = 100,
				   .pids = 64,
				   .internet = PRIV_NET_SLOT };
	const struct request request = { PRIV_OWNER_IMAGE, 1, 77 };

	snprintf(what.build, sizeof(what.build), "b-0b5e7a3c-1f0d-4c58-9a55-4b1f1c2d3e4f");
	memcpy(m.body, &what, sizeof(what));
	memcpy(m.body + sizeof(what), args, sizeof(args));
	m.head.size = sizeof(what) + sizeof(args);
	m.fds[BUILD_FD_STDIN] = open("/dev/null", O_RDONLY);
	m.fds[BUILD_FD_OUTPUT] = open("/dev/null", O_WRONLY);
	m.fds[BUILD_FD_DIR] = open(f->dir, O_RDONLY | O_DIRECTORY);
	build_start(&f->priv, &request, &m);
	assert_non_null(world.child);
	assert_int_equal(world.done + world.refused, 0);
}

static void child_ends(int status)
{
	world.child->pid = 0;
	world.child->ended(world.child, status);
}

static void a_child_that_dies_while_its_socket_is_still_held_is_answered_with_a_fault(void **state)
{
	start(*state);
	child_ends(9);
	assert_int_equal(world.refused, 1);
	assert_non_null(strstr(world.refusal, "before"));
	assert_int_equal(world.done, 0);
	assert_int_equal(world.told_gone, 0);
}

static void a_child_that_dies_with_a_fault_is_answered_with_its_words(void **state)
{
	struct err e;

	err_set(&e, ERR_INTERNAL, "no such program");
	start(*state);
	status_send_fault(world.status, &e);
	child_ends(1 << 8);
	assert_int_equal(world.refused, 1);
	assert_string_equal(world.refusal, "no such program");
}

static void a_build_that_is_over_before_its_start_was_read_has_run(void **state)
{
	start(*state);
	fd_close(&world.status); /* as exec does */
	child_ends(0);
	assert_int_equal(world.done, 1);
	assert_int_equal(world.refused, 0);
}

static void test_as_many_strings_as_are_said_are_taken(void **unused)
{
	char bytes[] = "step\0build\0\0--x";
	char **argv = build_argv(bytes, sizeof(bytes), 4);

	(void)unused;
	assert_non_null(argv);
	assert_string_equal(argv[0], "step");
	assert_string_equal(argv[1], "build");
	assert_string_equal(argv[2], "");
	assert_string_equal(argv[3], "--x");
	assert_null(argv[4]);
	free(argv);
}

static void test_strings_that_do_not_fill_the_message_are_refused(void **unused)
{
	char bytes[] = "step\0build";

	(void)unused;
	assert_null(build_argv(bytes, sizeof(bytes), 1));
	assert_null(build_argv(bytes, sizeof(bytes), 3));
	assert_null(build_argv(bytes, sizeof(bytes) - 1, 2));
	assert_null(build_argv(bytes, 0, 1));
	assert_null(build_argv(bytes, sizeof(bytes), UINT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_many_strings_as_are_said_are_taken),
		cmocka_unit_test(test_strings_that_do_not_fill_the_message_are_refused),
		cmocka_unit_test_setup_teardown(
			a_child_that_dies_while_its_socket_is_still_held_is_answered_with_a_fault,
			begin, end),
		cmocka_unit_test_setup_teardown(
			a_child_that_dies_with_a_fault_is_answered_with_its_words, begin, end),
		cmocka_unit_test_setup_teardown(
			a_build_that_is_over_before_its_start_was_read_has_run, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
