#include "priv/buildns.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "priv/privdrop.h"
#include "priv/status.h"

#define BUILDNS_FILES 65536
#define BUILDNS_HIGH  64 /* descriptors from here on collide with no fixed number */
#define BUILDNS_DIR   3  /* the descriptor of its directory in the program */

/* A fresh sysfs shows RUN the interfaces of the slot only. runc needs the cgroups at their usual
 * place. */
static int buildns_sys(struct err *e)
{
	autoclose int groups = open_tree(AT_FDCWD, "/sys/fs/cgroup",
					 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (groups < 0)
		return err_sys(e, "take /sys/fs/cgroup");
	if (umount2("/sys", MNT_DETACH) ||
	    mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return err_sys(e, "mount /sys");
	if (move_mount(groups, "", AT_FDCWD, "/sys/fs/cgroup", MOVE_MOUNT_F_EMPTY_PATH))
		return err_sys(e, "put /sys/fs/cgroup back");
	return 0;
}

static int buildns_outer(const struct buildns_plan *p, struct err *e)
{
	autoclose int netns = p->netns_path ? open(p->netns_path, O_RDONLY | O_CLOEXEC) : -1;

	if (privdrop_limits(BUILDNS_FILES, e))
		return -1;
	if (p->netns_path && (netns < 0 || setns(netns, CLONE_NEWNET)))
		return err_sys(e, "enter '%s'", p->netns_path);
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		return err_sys(e, "make a mount namespace");
	return buildns_sys(e);
}

/* Ids above those of the configuration. Outside they lie where hosts give nobody an id: behind the
 * ranges that directories and containers use, and where an id is negative in 32 bits. There are
 * fewer of them than ids, so that 2294767295 to 4294901758 do not exist in a build. */
static const struct buildns_range {
	uint32_t inside, outside, count;
} buildns_ranges[] = {
	{ 65537, 2147483648, 2147418111 }, /* up to 2147483647 */
	{ 4294901759, 4294901759, 65536 }, /* up to 4294967294, the last */
	{ 2147483648, 2000200001, 147283647 },
};
static_assert(2147483648 + 2147418111ULL == 4294901759, "the ranges outside follow each other");

/* No id outside may be mapped twice, so a range that meets the configuration's is left out. */
static void buildns_add_range(const struct buildns_range *r, const struct buildns_plan *p,
			      struct buf *to)
{
	uint64_t first = r->outside, end = first + r->count;

	for (size_t i = 0; i < ARRAY_SIZE(p->taken); i++)
		if (p->taken[i].first < end &&
		    p->taken[i].first + (uint64_t)p->taken[i].count > first)
			return;
	buf_addf(to, "%u %u %u\n", r->inside, r->outside, r->count);
}

static int buildns_map(pid_t pid, const char *file, uint32_t own, const struct buildns_plan *p)
{
	autofree char *path = xasprintf("/proc/%d/%s", (int)pid, file);
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);
	autobuf struct buf map = { 0 };

	buf_addf(&map, "0 %u 1\n1 %u %u\n", own, p->map_first, p->map_count);
	for (size_t i = 0; i < ARRAY_SIZE(buildns_ranges); i++)
		buildns_add_range(&buildns_ranges[i], p, &map);
	return fd < 0 ? -errno : io_write_full(fd, map.data, map.size);
}

/* This process stays root until its parent has made the namespace whose ids it maps. */
static pid_t buildns_mapper(const struct buildns_plan *p, int go)
{
	pid_t parent = getpid(), pid = fork();
	char byte;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(go, &byte, 1) != 1 || getppid() != parent)
		_exit(1);
	_exit(buildns_map(parent, "uid_map", p->uid, p) ||
	      buildns_map(parent, "gid_map", p->gid, p));
}

static int buildns_user(const struct buildns_plan *p, struct err *e)
{
	int go[2], status;
	pid_t mapper;

	if (pipe2(go, O_CLOEXEC))
		return err_sys(e, "make a pipe");
	mapper = buildns_mapper(p, go[0]);
	close(go[0]);
	if (mapper < 0 || privdrop_ids(p->uid, p->gid, e)) {
		close(go[1]);
		return mapper < 0 ? err_sys(e, "fork") : -1;
	}
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID)) {
		close(go[1]);
		return err_sys(e, "make a user namespace");
	}
	status = write(go[1], "", 1) == 1 ? 0 : -1;
	close(go[1]);
	if (status || waitpid(mapper, &status, 0) != mapper || status)
		return err_set(e, ERR_INTERNAL, "the ids of a build could not be mapped");
	return privdrop_ids(0, 0, e);
}

static int buildns_fds(const struct buildns_plan *p, struct err *e)
{
	int high[BUILD_NUM_FDS];

	for (unsigned i = 0; i < BUILD_NUM_FDS; i++) {
		high[i] = fcntl(p->fds[i], F_DUPFD_CLOEXEC, BUILDNS_HIGH);
		if (high[i] < 0)
			return err_sys(e, "hand a descriptor over");
	}
	if (close_range(BUILDNS_DIR, ~0U, CLOSE_RANGE_CLOEXEC) ||
	    dup2(high[BUILD_FD_STDIN], STDIN_FILENO) < 0 ||
	    dup2(high[BUILD_FD_OUTPUT], STDOUT_FILENO) < 0 ||
	    dup2(high[BUILD_FD_OUTPUT], STDERR_FILENO) < 0 ||
	    dup2(high[BUILD_FD_DIR], BUILDNS_DIR) < 0)
		return err_sys(e, "hand a descriptor over");
	return fchdir(BUILDNS_DIR) ? err_sys(e, "enter the build's directory") : 0;
}

static int buildns_exec(const struct buildns_plan *p, int program, int status)
{
	char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", lang[] = "LANG=C.UTF-8";
	char *env[] = { path, lang, NULL };
	struct err e;

	umask(022);
	setsid();
	if (!buildns_fds(p, &e)) {
		execveat(program, "", p->argv, env, AT_EMPTY_PATH);
		err_sys(&e, "run '%s'", p->program);
	}
	return status_send_fault(status, &e);
}

/* Turns a wait status into the exit status that a shell would report. */
static int buildns_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* This is process 1 of the pid namespace: it reaps every process there, and all of them end with
 * it. */
static int buildns_init(const struct buildns_plan *p, int program, int status)
{
	struct err e;
	pid_t build, ended;
	int how;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL)) {
		err_sys(&e, "mount /proc");
		return status_send_fault(status, &e);
	}
	build = fork();
	if (!build)
		return buildns_exec(p, program, status);
	if (build < 0) {
		err_sys(&e, "fork");
		return status_send_fault(status, &e);
	}
	close_range(STDERR_FILENO + 1, ~0U, 0);
	do
		ended = waitpid(-1, &how, 0);
	while (ended != build && (ended > 0 || errno == EINTR));
	return ended == build ? buildns_code(how) : 1;
}

static int buildns_enter(const struct buildns_plan *p, struct err *e)
{
	pid_t parent = getppid();

	if (cgroup_enter(p->groups, p->build, e) || buildns_outer(p, e) || buildns_user(p, e))
		return -1;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of ids clears it */
	return getppid() != parent ? err_set(e, ERR_INTERNAL, "priv is gone") : 0;
}

int buildns_run(void *plan)
{
	const struct buildns_plan *p = plan;
	int program = open(p->program, O_PATH | O_CLOEXEC), how;
	int status = fcntl(p->status, F_DUPFD_CLOEXEC, BUILDNS_HIGH);
	struct err e;
	pid_t init;

	if (program < 0) {
		err_sys(&e, "open '%s'", p->program);
		return status_send_fault(p->status, &e);
	}
	if (status < 0 || buildns_enter(p, &e))
		return status < 0 ? 1 : status_send_fault(status, &e);
	init = fork();
	if (!init)
		return buildns_init(p, program, status);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	return init > 0 && waitpid(init, &how, 0) == init ? buildns_code(how) : 1;
}
