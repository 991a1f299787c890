/* start.c - makes what priv makes for a machine, as far as a test needs it, and execs it.
 *
 * Descriptors as in enum machine_fd; an empty root, a user of no rights, no new privileges. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/mount.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "drive.h"

#define NOBODY   65534
#define VNET_HDR 12
#define MAX_ARGS 64
#define FD_ROOM  32 /* descriptors of ours stay above what the machine inherits */

struct child {
	int fds[MACHINE_FD_PROC + 1]; /* by their number in the machine; -1: none */
	int program, out, go;
	bool loads; /* the program needs a loader and libraries, which are in this root */
	char *argv[MAX_ARGS];
};

static int fd_high(int fd)
{
	int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FD_ROOM);

	fd_close(&fd);
	return high;
}

static int child_listen(struct drive *d, const char *name, int type, struct err *e)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = fd_high(socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s", d->dir, name);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 64))
		return err_sys(e, "listen on '%s'", at.sun_path);
	return fd;
}

static int child_tap(const char *name, struct err *e)
{
	int fd = fd_high(open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK)), size = VNET_HDR;
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r) || ioctl(fd, TUNSETVNETHDRSZ, &size))
		return err_sys(e, "make the tap '%s'", name);
	return fd;
}

/* A procfs that is mounted nowhere. */
static int child_proc(struct err *e)
{
	autoclose int fs = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);
	int fd = -1;

	if (fs >= 0 && !syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		fd = fd_high((int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0));
	return fd < 0 ? err_sys(e, "make a procfs") : fd;
}

static int child_machine_fds(struct drive *d, struct child *c, struct err *e)
{
	const char *tap = words_get(d->start, "tap");

	c->fds[MACHINE_FD_SOCK] = child_listen(d, "machine.sock", SOCK_SEQPACKET, e);
	c->fds[MACHINE_FD_STREAM] = child_listen(d, "stream.sock", SOCK_STREAM, e);
	c->fds[MACHINE_FD_TAP] = child_tap(tap ? tap : "tap0", e);
	c->fds[MACHINE_FD_KVM] = fd_high(open("/dev/kvm", O_RDWR | O_CLOEXEC));
	if (c->fds[MACHINE_FD_KVM] < 0)
		return err_sys(e, "open /dev/kvm");
	c->fds[MACHINE_FD_PROC] = child_proc(e);
	for (int i = MACHINE_FD_SOCK; i <= MACHINE_FD_PROC; i++)
		if (c->fds[i] < 0)
			return -1;
	return 0;
}

static void child_args(struct drive *d, struct child *c)
{
	const char *id = words_get(d->start, "id"), *args = words_get(d->start, "args");
	char *line = args ? xstrdup(args)
			  : xasprintf("--machine %s --vcpus %u --memory %u", id ? id : "m-test",
				      d->shape.vcpus, d->shape.memory_mib);
	unsigned n = 1;

	for (char *word = strtok(line, " \t\n"); word && n < MAX_ARGS - 1;
	     word = strtok(NULL, " \t\n"))
		c->argv[n++] = word;
	c->argv[n] = NULL;
}

/* Of a raw program: files that it gets open. */
static void child_open_files(const struct words *start)
{
	for (unsigned i = 0; i < start->n; i++) {
		int number, fd;

		if (sscanf(start->word[i].key, "fd%d", &number) != 1)
			continue;
		fd = open(start->word[i].value, O_RDONLY);
		if (fd < 0 || (fd != number && dup2(fd, number) < 0))
			_exit(126);
	}
}

static bool child_loads(int program)
{
	char head[4096];
	ssize_t n = pread(program, head, sizeof(head), 0);

	return n > 0 && memmem(head, (size_t)n, "/ld-linux", 9);
}

static void child_jail(const char *root)
{
	if (chroot(root) || chdir("/") || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		_exit(126);
}

/* What was used up to here is not the program's. */
static void child_count(struct drive *d)
{
	struct timespec cpu, wall;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	clock_gettime(CLOCK_MONOTONIC, &wall);
	d->at_exec->cpu_ns = (uint64_t)cpu.tv_sec * 1000000000 + (uint64_t)cpu.tv_nsec;
	d->at_exec->wall_ns = wall.tv_sec * 1000000000 + wall.tv_nsec;
}

static void child_run(struct drive *d, struct child *c, pid_t parent)
{
	static char sanitizer[] = "ASAN_OPTIONS=detect_leaks=0";
	const char *chroot_to = words_get(d->start, "chroot");
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || read(c->go, &byte, 1) != 1)
		_exit(126);
	for (int i = 0; i <= MACHINE_FD_PROC; i++)
		if (c->fds[i] >= 0 && dup2(c->fds[i], i) < 0)
			_exit(126);
	if (dup2(c->out, 1) < 0 || dup2(c->out, 2) < 0)
		_exit(126);
	child_open_files(d->start);
	if (chroot_to && (chroot(chroot_to) || chdir("/")))
		_exit(126);
	if (d->jailed)
		child_jail(d->root);
	if (!d->raw)
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	child_count(d);
	if (chroot_to)
		execv(c->argv[0], c->argv);
	else
		syscall(SYS_execveat, c->program, "", c->argv,
			(char *[]){ c->loads ? sanitizer : NULL, NULL }, AT_EMPTY_PATH);
	_exit(127);
}

static int start_process(struct drive *d, struct child *c, struct err *e)
{
	int out[2], go[2];
	pid_t parent = getpid();

	if (pipe2(out, O_CLOEXEC) || pipe2(go, O_CLOEXEC))
		return err_sys(e, "make a pipe");
	c->out = fd_high(out[1]);
	c->go = fd_high(go[0]);
	c->fds[0] = fd_high(open("/dev/null", O_RDONLY | O_CLOEXEC));
	d->console = fd_high(out[0]);
	fcntl(d->console, F_SETFL, O_NONBLOCK);
	d->pid = fork();
	if (d->pid < 0)
		return err_sys(e, "fork");
	if (!d->pid)
		child_run(d, c, parent);
	d->pidfd = fd_high((int)syscall(SYS_pidfd_open, d->pid, 0));
	fd_close(&c->out);
	fd_close(&c->go);
	for (int i = 0; i <= MACHINE_FD_PROC; i++)
		fd_close(&c->fds[i]);
	if (words_get(d->start, "trace") && trace_begin(d, e))
		return -1;
	*d->at_exec = usage_now(d); /* until it says so itself */
	if (write(go[1], "", 1) != 1)
		return err_sys(e, "let it go");
	fd_close(&go[1]);
	return 0;
}

int drive_start(struct drive *d, struct err *e)
{
	struct child c = { .program = -1 };
	const char *program = words_need(d->start, "program", e);
	const char *jail = words_get(d->start, "jail");

	if (!program)
		return -1;
	for (int i = 0; i <= MACHINE_FD_PROC; i++)
		c.fds[i] = -1;
	d->raw = words_get(d->start, "raw") != NULL;
	d->shape.vcpus = words_number(d->start, "vcpus", 1);
	d->shape.memory_mib = words_number(d->start, "memory", 128);
	snprintf(d->dir, sizeof(d->dir), "/tmp/drive.XXXXXX");
	if (!mkdtemp(d->dir))
		return err_sys(e, "make '%s'", d->dir);
	snprintf(d->root, sizeof(d->root), "%s/root", d->dir);
	if (mkdir(d->root, 0555))
		return err_sys(e, "make '%s'", d->root);
	d->at_exec = mmap(NULL, sizeof(*d->at_exec), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	c.argv[0] = (char *)(uintptr_t)program;
	child_args(d, &c);
	if (!words_get(d->start, "chroot"))
		c.program = fd_high(open(program, O_RDONLY | O_CLOEXEC));
	c.loads = c.program >= 0 && child_loads(c.program);
	d->jailed = !d->raw && !c.loads && !(jail && !strcmp(jail, "no"));
	if (!d->raw && child_machine_fds(d, &c, e))
		return -1;
	return start_process(d, &c, e);
}

void drive_end(struct drive *d)
{
	static const char *const names[] = { "machine.sock", "stream.sock" };

	if (d->pidfd >= 0 && !d->left) {
		kill(d->pid, SIGKILL);
		waitpid(d->pid, NULL, 0);
	}
	for (size_t i = 0; d->dir[0] && i < ARRAY_SIZE(names); i++) {
		autofree char *path = xasprintf("%s/%s", d->dir, names[i]);

		unlink(path);
	}
	if (d->dir[0]) {
		rmdir(d->root);
		rmdir(d->dir);
	}
	fd_close(&d->pidfd);
	fd_close(&d->console);
	fd_close(&d->sock);
	buf_free(&d->seen);
	buf_free(&d->agent);
}
