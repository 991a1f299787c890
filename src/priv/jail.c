#include "priv/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/machine.h"
#include "priv/drop.h"
#include "priv/root.h"
#include "priv/slotmake.h"
#include "priv/status.h"

#define JAIL_FILES 1024
#define JAIL_HIGH  64 /* descriptors from here on are in nobody's way */

/* stderr appends to the machines' log; stdin and stdout are nothing. */
static int jail_stdio(const struct jail_plan *p, struct err *e)
{
	autoclose int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	autoclose int log =
		open(p->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		return err_sys(e, "open /dev/null");
	if (log >= 0 && dup2(log, STDERR_FILENO) < 0)
		return err_sys(e, "open '%s'", p->log_path);
	return 0;
}

/* To their numbers, which none of them may have before; all others close with exec. */
static int jail_fds(const struct jail_plan *p, int tap, struct err *e)
{
	const int from[] = { p->sock, p->stream, tap };
	int high[ARRAY_SIZE(from)];

	for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
		high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, JAIL_HIGH);
		if (high[i] < 0)
			return err_sys(e, "hand a descriptor over");
	}
	if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC))
		return err_sys(e, "close descriptors");
	for (size_t i = 0; i < ARRAY_SIZE(from); i++)
		if (dup2(high[i], MACHINE_FD_SOCK + (int)i) < 0)
			return err_sys(e, "hand a descriptor over");
	return 0;
}

static int jail_network(const char *netns_path, struct err *e)
{
	autoclose int netns = open(netns_path, O_RDONLY | O_CLOEXEC);

	if (netns < 0 || setns(netns, CLONE_NEWNET))
		return err_sys(e, "enter '%s'", netns_path);
	return 0;
}

static int jail_tap(struct err *e)
{
	autoclose int low = slot_open_tap(e);
	int high = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, JAIL_HIGH);

	return low >= 0 && high < 0 ? err_sys(e, "move the tap's descriptor") : high;
}

static int jail_enter(const struct jail_plan *p, struct err *e)
{
	struct drop who = { .uid = p->uid, .gid = p->uid, .files = JAIL_FILES };
	int tap;

	if (jail_network(p->netns_path, e))
		return -1;
	tap = jail_tap(e);
	if (tap < 0 || jail_stdio(p, e) || jail_fds(p, tap, e))
		return -1;
	if (root_enter(p->stage, p->libexec, e))
		return -1;
	if (sethostname("machine", strlen("machine")))
		return err_sys(e, "name the machine");
	return drop_all(&who, e) ? -1 : filter_load(p->filter, e);
}

/* Process 1 of its pid namespace: with it goes all that it started. */
static int jail_run(const struct jail_plan *p)
{
	autofree char *program = xasprintf("%s/%s", ROOT_LIBEXEC, p->program);
	char path[] = "PATH=/usr/bin:/bin", machine[] = "--machine", qemu[] = "--qemu";
	autofree char *id = xstrdup(p->machine), *monitor = xstrdup(p->monitor);
	char *argv[] = { program, machine, id, qemu, monitor, NULL };
	char *env[] = { path, NULL };
	int status = fcntl(p->status, F_DUPFD_CLOEXEC, JAIL_HIGH);
	struct err e;

	setsid();
	if (status < 0)
		return 1;
	if (jail_enter(p, &e))
		return status_send_fault(status, &e);
	execve(program, argv, env);
	err_sys(&e, "run '%s'", p->program);
	return status_send_fault(status, &e);
}

int jail_start(void *plan)
{
	const struct jail_plan *p = plan;
	int pidfd = -1;
	struct clone_args how = {
		.flags = CLONE_PIDFD | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS,
		.pidfd = (uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	struct err e;
	long pid;

	if (cgroup_enter(p->groups, p->machine, &e))
		return status_send_fault(p->status, &e);
	pid = syscall(SYS_clone3, &how, sizeof(how));
	if (!pid)
		return jail_run(p);
	if (pid < 0) {
		err_sys(&e, "make a process in namespaces of its own");
		return status_send_fault(p->status, &e);
	}
	return status_send_started(p->status, (int)pid, pidfd) ? 1 : 0;
}
