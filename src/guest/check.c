#include "guest/check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "guest/container.h"
#include "guest/door.h"

#define CHECK_DRAIN 64 /* pieces at the end, even if something still writes */

static void check_result(const struct check *c, enum agent_outcome outcome, int code)
{
	size_t mark = agent_begin(&c->port->out, AGENT_CHECK_RESULT);

	agent_put_u64(&c->port->out, FIELD_ID, c->id);
	agent_put_u64(&c->port->out, FIELD_OUTCOME, outcome);
	agent_put_u64(&c->port->out, FIELD_CODE, (uint64_t)code);
	agent_put(&c->port->out, FIELD_BYTES, c->output.data, c->output.size);
	agent_end(&c->port->out, mark);
	port_send(c->port);
}

static void check_fail(struct check *c, const char *text)
{
	buf_clear(&c->output);
	buf_adds(&c->output, text);
	check_result(c, OUTCOME_GARBAGE, 0);
}

static int check_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Become the command.  The end of the parent, which is outside, ends it too; only now, because the
 * kernel forgets that with a change of user. */
static _Noreturn void check_exec(struct app_spec *s)
{
	static struct user user;
	struct err e = { 0 };
	int code = CONTAINER_FAILED;

	setsid();
	if (!privs_lookup(s, &user, &e)) {
		container_environment(s, &user);
		if (chdir(s->workdir && *s->workdir ? s->workdir : "/"))
			err_sys(&e, "change to the working directory");
		else if (!privs_drop(s, &user, &e)) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			environ = s->env;
			execvp(s->argv[0], s->argv);
			code = errno == ENOENT ? CONTAINER_MISSING : CONTAINER_CANNOT;
			err_sys(&e, "run '%s'", s->argv[0]);
		}
	}
	dprintf(STDERR_FILENO, "%s\n", e.text);
	_exit(code);
}

static _Noreturn void check_child(struct app_spec *s, const struct door *door, int out)
{
	autoclose int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int pid;

	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 ||
	    door_enter(door)) {
		dprintf(out, "enter the container: %s\n", strerror(errno));
		_exit(CONTAINER_FAILED);
	}
	/* What the agent has open is nothing for processes of the container to look at. */
	syscall(SYS_close_range, 3, ~0U, 0);
	pid = fork();
	if (!pid)
		check_exec(s);
	door_wait(pid);
}

static int check_clone(struct app_spec *s, const struct door *door, int out)
{
	int pid = door_fork(door);

	if (!pid)
		check_child(s, door, out);
	return pid;
}

/* False at the end of the output, or if there is none yet. */
static bool check_read(struct check *c)
{
	uint8_t piece[1024];
	ssize_t n = read(c->out, piece, sizeof(piece));
	size_t room = CHECK_OUTPUT - c->output.size;

	if (n < 0 && errno == EINTR)
		return true;
	if (n > 0)
		buf_add(&c->output, piece, (size_t)n < room ? (size_t)n : room);
	if (!n)
		loop_unwatch(c->port->loop, &c->watch);
	return n > 0;
}

static void check_ready(struct watch *w, uint32_t events)
{
	(void)events;
	check_read(container_of(w, struct check, watch));
}

static void check_late(struct timer *t)
{
	struct check *c = container_of(t, struct check, timer);

	c->late = true;
	kill(c->pid, SIGKILL);
}

static int check_start(struct check *c, struct app_spec *s, int application)
{
	struct door door = DOOR_SHUT;
	int ends[2];
	struct err e;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	c->out = ends[0];
	c->pid = door_open(&door, application, CONTAINER_CGROUP) ? -1
								 : check_clone(s, &door, ends[1]);
	door_close(&door);
	close(ends[1]);
	if (c->pid > 0 && !io_nonblock(c->out) &&
	    !loop_watch(c->port->loop, &c->watch, c->out, EPOLLIN, check_ready, &e))
		return 0;
	if (c->pid > 0)
		kill(c->pid, SIGKILL);
	c->pid = 0;
	fd_close(&c->out);
	return -1;
}

void check_add(struct check *c, const struct agent_frame *f, int application)
{
	uint64_t timeout_ms = 0;
	struct app_spec spec;
	struct err e;

	if (c->pid || !agent_get_u64(f, FIELD_ID, &c->id))
		return; /* The host sends one at a time. */
	buf_clear(&c->output);
	c->late = false;
	if (!application || !agent_get_u64(f, FIELD_TIMEOUT_MS, &timeout_ms) ||
	    timeout_ms > INT32_MAX) {
		check_fail(c, "there is nothing to check");
		return;
	}
	if (spec_parse(f, &spec, &e))
		check_fail(c, e.text);
	else if (check_start(c, &spec, application))
		check_fail(c, "its process cannot be made");
	else
		loop_timer(c->port->loop, &c->timer, (int64_t)timeout_ms, check_late);
	spec_free(&spec);
}

void check_reaped(struct check *c, int pid, int status)
{
	if (!c->pid || pid != c->pid)
		return;
	c->pid = 0;
	for (int i = 0; i < CHECK_DRAIN && check_read(c); i++)
		;
	loop_untimer(c->port->loop, &c->timer);
	loop_unwatch(c->port->loop, &c->watch);
	fd_close(&c->out);
	check_result(c, c->late ? OUTCOME_TIMEOUT : OUTCOME_STATUS, check_code(status));
}

void check_init(struct check *c, struct port *port)
{
	*c = (struct check){ .port = port, .out = -1 };
}
