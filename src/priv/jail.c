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
#include "priv/jail_root.h"
#include "priv/privdrop.h"
#include "priv/slotmake.h"
#include "priv/status.h"
#include "priv/userns.h"

#define JAIL_FILES 2048 /* doze-vmm has one for each stream of the guest */
#define JAIL_FDS   (MACHINE_FD_PROC - MACHINE_FD_SOCK + 1)
#define JAIL_HIGH  64 /* descriptors from here on collide with no fixed number */

/* stderr appends to the machines' log; stdin and stdout are /dev/null. */
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

/* Moves descriptors to their fixed numbers, none of which may be in use. All others close on exec.
 */
static int jail_fds(const int *from, size_t n, struct err *e)
{
	int high[JAIL_FDS];

	for (size_t i = 0; i < n; i++) {
		high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, JAIL_HIGH);
		if (high[i] < 0)
			return err_sys(e, "hand a descriptor over");
	}
	if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC))
		return err_sys(e, "close descriptors");
	for (size_t i = 0; i < n; i++)
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

/* Takes @low over and moves it above the fixed numbers. */
static int jail_lift(int low, struct err *e)
{
	int high = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, JAIL_HIGH);

	if (low >= 0 && high < 0)
		err_sys(e, "move a descriptor");
	fd_close(&low);
	return high;
}

static int jail_open(const char *path, int flags, struct err *e)
{
	int fd = open(path, flags | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "open '%s'", path) : jail_lift(fd, e);
}

static int jail_name(struct err *e)
{
	const char name[] = "machine";

	return sethostname(name, strlen(name)) ? err_sys(e, "name the machine") : 0;
}

/* doze-qemu ends this itself (qemu/urgent.h).  Not every host allows it, and none needs it. */
static void qemu_hurry(const struct jail_plan *p)
{
	const struct sched_param least = { .sched_priority = 1 };

	if (p->boots)
		(void)!sched_setscheduler(0, SCHED_RR, &least);
}

/* doze-qemu is executed by its path in the new root. */

static int qemu_enter(const struct jail_plan *p, struct err *e)
{
	struct privdrop who = { .uid = p->uid, .gid = p->uid, .files = JAIL_FILES };
	int fds[] = { p->sock, p->stream, jail_lift(slot_open_tap(e), e) };

	if (fds[2] < 0 || jail_stdio(p, e) || jail_fds(fds, ARRAY_SIZE(fds), e) ||
	    jail_root_enter(p->stage, p->libexec, e) || jail_name(e))
		return -1;
	qemu_hurry(p);
	return privdrop_all(&who, e) ? -1 : seccomp_filter_load(p->filter, e);
}

static int qemu_run(const struct jail_plan *p, struct err *e)
{
	const char *argv[] = { JAIL_ROOT_LIBEXEC "/doze-qemu", "--machine", p->machine, "--qemu",
			       "/usr/bin/qemu-system-x86_64",  NULL };
	const char *env[] = { "PATH=/usr/bin:/bin", NULL };

	if (qemu_enter(p, e))
		return -1;
	execve(argv[0], (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
	return err_sys(e, "run '%s'", argv[0]);
}

/* doze-vmm must be opened before its root becomes empty. */

static int vmm_enter(const struct jail_plan *p, struct err *e)
{
	int fds[] = { p->sock, p->stream, jail_lift(slot_open_tap(e), e), -1, -1 };

	if (fds[2] < 0)
		return -1;
	fds[3] = jail_open("/dev/kvm", O_RDWR, e);
	if (fds[3] < 0)
		return -1;
	fds[4] = jail_lift(userns_open_proc(e), e);
	if (fds[4] < 0 || jail_stdio(p, e) || jail_fds(fds, ARRAY_SIZE(fds), e) ||
	    jail_root_enter_empty(p->stage, e) || jail_name(e) ||
	    userns_enter(MACHINE_FD_PROC, p->uid, e))
		return -1;
	return privdrop_rights(JAIL_FILES, e);
}

static int vmm_run(const struct jail_plan *p, struct err *e)
{
	autofree char *path = xasprintf("%s/doze-vmm", p->libexec);
	autofree char *vcpus = xasprintf("%u", p->vcpus);
	autofree char *memory = xasprintf("%llu", (unsigned long long)p->memory_mib);
	const char *argv[] = { "doze-vmm", "--machine", p->machine, "--vcpus",
			       vcpus,      "--memory",  memory,     NULL };
	const char *env[] = { NULL };
	/* O_PATH would not do: the kernel gives /proc/self of a program that cannot be read to
	 * root. */
	autoclose int program = jail_open(path, O_RDONLY, e);

	if (program < 0 || vmm_enter(p, e))
		return -1;
	execveat(program, "", (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env,
		 AT_EMPTY_PATH);
	return err_sys(e, "run doze-vmm");
}

/* Each of these executes its program and returns only on failure, with *e. */
static int (*const jail_kinds[])(const struct jail_plan *p, struct err *e) = {
	[PRIV_MACHINE_QEMU] = qemu_run,
	[PRIV_MACHINE_VMM] = vmm_run,
};
static_assert(ARRAY_SIZE(jail_kinds) == PRIV_NUM_MACHINE_KINDS, "one row per kind");

/* This is process 1 of its pid namespace: every process that it has started ends with it. */
static int jail_run(const struct jail_plan *p)
{
	int status = fcntl(p->status, F_DUPFD_CLOEXEC, JAIL_HIGH);
	struct err e;

	setsid();
	if (status < 0)
		return 1;
	if (!jail_network(p->netns_path, &e))
		(void)!jail_kinds[p->kind](p, &e);
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
