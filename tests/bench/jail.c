/* jail.c - what priv does for a machine before doze-vmm is there: its cgroup, and a process in
 * namespaces, in an empty root, as a user of its own.
 *
 * jail FOLDER RUNS - as root; FOLDER holds doze-vmm, and is empty else.  A line for each run: JAIL
 * cgroup_ns=N start_ns=N, both on the monotonic clock; the second up to the exec. */

#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include "base/log.h"
#include "base/loop.h"
#include "priv/child.h"
#include "priv/jail.h"
#include "priv/slotmake.h"
#include "priv/status.h"

#define UID        65533
#define MEMORY_MIB 128
#define END_MAX_MS 5000

static struct cgroups groups;
static const char *folder;

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

static void fail(const struct err *e)
{
	fprintf(stderr, "jail: %s\n", e->text);
	exit(1);
}

/* A namespace with the tap of a slot, and a name. */
static int make_slot(void *path)
{
	struct err e;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), tap;

	if (fd < 0 || unshare(CLONE_NEWNET))
		return 1;
	close(fd);
	tap = slot_open_tap(&e);
	if (tap < 0 || ioctl(tap, TUNSETPERSIST, 1))
		return 1;
	return mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) ? 1 : 0;
}

static int listener(const char *name, int type)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s", folder, name);
	unlink(at.sun_path);
	return !bind(fd, (struct sockaddr *)&at, sizeof(at)) && !listen(fd, 1) ? fd : -1;
}

/* Until the descriptor closes with the exec. */
static int await_exec(int sock, struct err *e)
{
	struct status status = { .sock = sock };
	enum status_says says;
	struct ipc_msg msg;
	int pid = 0;

	while ((says = status_next(&status, &msg, e)) == STATUS_SAYS_STARTED) {
		memcpy(&pid, msg.body, sizeof(pid));
		ipc_msg_close(&msg);
	}
	return says == STATUS_SAYS_RUNS ? pid : -1;
}

static void run(struct jail_plan *plan, const char *name)
{
	const struct cgroup_limits limits = { .memory_bytes = 2 * MEMORY_MIB * MIB,
					      .cpu_percent = 100,
					      .pids = 16 };
	int64_t begin, grouped, started;
	int pair[2], pid;
	struct err e;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		exit(1);
	plan->machine = name;
	plan->status = pair[1];
	begin = now_ns();
	if (cgroup_make(&groups, name, &limits, &e))
		fail(&e);
	grouped = now_ns();
	if (child_run(jail_start, plan))
		fail((err_set(&e, ERR_INTERNAL, "the child failed"), &e));
	close(pair[1]);
	pid = await_exec(pair[0], &e);
	started = now_ns();
	if (pid <= 0)
		fail(&e);
	printf("JAIL cgroup_ns=%" PRId64 " start_ns=%" PRId64 "\n", grouped - begin,
	       started - grouped);
	close(pair[0]);
	if (!cgroup_kill_wait(&groups, name, END_MAX_MS))
		fail((err_set(&e, ERR_INTERNAL, "the machine does not end"), &e));
}

int main(int argc, char **argv)
{
	unsigned long runs = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	struct loop *loop;
	struct err e;

	if (!runs) {
		fprintf(stderr, "usage: jail FOLDER RUNS\n");
		return 2;
	}
	folder = argv[1];
	log_init("jail", LOG_LEVEL_ERR);
	loop = loop_new(&e);
	if (!loop || cgroups_open(&groups, loop, folder, "doze-bench", &e))
		fail(&e);

	autofree char *netns = xasprintf("%s/net", folder);
	autofree char *stage = xasprintf("%s/stage", folder);
	autofree char *log = xasprintf("%s/log", folder);
	struct jail_plan plan = {
		.kind = PRIV_MACHINE_VMM,
		.groups = &groups,
		.netns_path = netns,
		.stage = stage,
		.libexec = folder,
		.log_path = log,
		.vcpus = 1,
		.memory_mib = MEMORY_MIB,
		.uid = UID,
		.sock = listener("machine.sock", SOCK_SEQPACKET),
		.stream = listener("stream.sock", SOCK_STREAM),
	};

	if (mkdir(stage, 0700) || child_run(make_slot, netns) || plan.sock < 0 || plan.stream < 0)
		fail((err_set(&e, ERR_INTERNAL, "cannot prepare '%s'", folder), &e));
	for (unsigned long i = 0; i < runs; i++) {
		autofree char *name = xasprintf("m-%lu", i);

		run(&plan, name);
	}
	cgroups_close(&groups, true);
	loop_free(loop);
	return 0;
}
