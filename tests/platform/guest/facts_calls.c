#include "facts.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long call_bind(int family, int type, int protocol, int port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_port = htons((uint16_t)port),
				    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);
	long rc = fd;

	if (fd >= 0 && port)
		rc = family == AF_INET ? bind(fd, (void *)&in, sizeof(in))
				       : bind(fd, (void *)&in6, sizeof(in6));
	return rc;
}

static void calls_net(void)
{
	char text[4096];
	const char *rest = fact_file("/proc/net/if_inet6", text, sizeof(text));
	int global = 0;

	fact_call("bind port 80", call_bind(AF_INET, SOCK_STREAM, 0, 80));
	fact_call("bind [::1]:81", call_bind(AF_INET6, SOCK_STREAM, 0, 81));
	fact_call("ping socket", call_bind(AF_INET, SOCK_DGRAM, IPPROTO_ICMP, 0));
	fact_call("raw socket", call_bind(AF_INET, SOCK_RAW, IPPROTO_ICMP, 0));
	fact_call("packet socket", call_bind(AF_PACKET, SOCK_DGRAM, 0, 0));
	for (; *rest; rest = strchr(rest, '\n') ? strchr(rest, '\n') + 1 : "")
		global += strstr(rest, " lo\n") == NULL;
	fact("IPv6 addresses beside ::1", "%d", global);
}

/* Each is tried in a child, which may lose itself. */
static long try_mount(void)
{
	return mount("none", "/mnt", "tmpfs", 0, NULL);
}
static long try_bind_mount(void)
{
	return mount("/tmp", "/mnt", NULL, MS_BIND, NULL);
}
static long try_umount(void)
{
	return umount("/dev/shm");
}
static long try_hostname(void)
{
	return sethostname("other", 5);
}
static long try_chroot(void)
{
	return chroot("/tmp");
}
static long try_reboot(void)
{
	return reboot(RB_DISABLE_CAD);
}
static long try_swap(void)
{
	return swapoff("/none");
}
static long try_net_namespace(void)
{
	return unshare(CLONE_NEWNET);
}
static long try_mount_namespace(void)
{
	return unshare(CLONE_NEWNS);
}
static long try_user_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}
static long try_nice(void)
{
	return setpriority(PRIO_PROCESS, 0, -5);
}
static long try_setuid(void)
{
	return setuid(4242);
}
static long try_chown(void)
{
	return chown("/tmp", 5, 5) ? -1 : chown("/tmp", 0, 0);
}
static long try_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}
static long try_keyring(void)
{
	return syscall(SYS_keyctl, 0, -3, 0);
}
static long try_bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}
static long try_module(void)
{
	return syscall(SYS_delete_module, "none", 0);
}
static long try_kexec(void)
{
	return syscall(SYS_kexec_load, 0, 0, NULL, 0);
}
static long try_handle(void)
{
	return syscall(SYS_open_by_handle_at, -1, NULL, 0);
}
static long try_iopl(void)
{
	return syscall(SYS_iopl, 3);
}
static long try_dmesg(void)
{
	return klogctl(10, NULL, 0);
}
static long try_memory_lock(void)
{
	return mlockall(MCL_CURRENT);
}
static long try_node(void)
{
	return mknod("/tmp/node", S_IFCHR | 0666, makedev(1, 3));
}
static long try_fifo(void)
{
	return mkfifo("/tmp/fifo", 0644);
}
static long try_userfaultfd(void)
{
	return syscall(SYS_userfaultfd, O_CLOEXEC);
}
static long try_perf(void)
{
	return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}

static long try_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return clock_settime(CLOCK_REALTIME, &now);
}

static long try_files_limit(void)
{
	const struct rlimit more = { 4096, 2097152 };

	return setrlimit(RLIMIT_NOFILE, &more);
}

static void calls_tried(void)
{
	static const struct {
		const char *name;
		long (*run)(void);
	} tries[] = {
		{ "mount a tmpfs", try_mount },
		{ "bind mount", try_bind_mount },
		{ "unmount", try_umount },
		{ "set the host name", try_hostname },
		{ "chroot", try_chroot },
		{ "reboot", try_reboot },
		{ "swapoff", try_swap },
		{ "net namespace", try_net_namespace },
		{ "mount namespace", try_mount_namespace },
		{ "user namespace", try_user_namespace },
		{ "negative nice", try_nice },
		{ "setuid", try_setuid },
		{ "chown", try_chown },
		{ "ptrace", try_ptrace },
		{ "keyring", try_keyring },
		{ "bpf", try_bpf },
		{ "delete a module", try_module },
		{ "kexec", try_kexec },
		{ "file handles", try_handle },
		{ "iopl", try_iopl },
		{ "kernel log", try_dmesg },
		{ "lock memory", try_memory_lock },
		{ "mknod", try_node },
		{ "mkfifo", try_fifo },
		{ "userfaultfd", try_userfaultfd },
		{ "perf events", try_perf },
		{ "set the clock", try_clock },
		{ "raise the limit of files", try_files_limit },
	};

	for (size_t i = 0; i < COUNT(tries); i++) {
		char result[32] = "lost";
		int pipes[2];
		ssize_t n;

		fflush(stdout);
		if (pipe(pipes))
			continue;
		if (!fork()) {
			const char *text = fact_error(tries[i].run());

			(void)!write(pipes[1], text, strlen(text));
			_exit(0);
		}
		close(pipes[1]);
		n = read(pipes[0], result, sizeof(result) - 1);
		result[n > 0 ? n : 0] = '\0';
		close(pipes[0]);
		wait(NULL);
		fact(tries[i].name, "%s", result);
	}
}

static void calls_ipc(void)
{
	struct mq_attr attr = { .mq_maxmsg = 10, .mq_msgsize = 64 };
	struct stat st = { 0 };
	const char *slave;
	int ptmx = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	fact_call("message queue", mq_open("/facts", O_CREAT | O_RDWR, 0600, &attr));
	fact_call("shared memory", shm_open("/facts", O_CREAT | O_RDWR, 0600));
	fact_call("semaphore", sem_open("/facts", O_CREAT, 0600, 1) == SEM_FAILED ? -1 : 0);
	fact_call("System V memory", shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600));
	slave = ptmx < 0 || grantpt(ptmx) || unlockpt(ptmx) ? NULL : ptsname(ptmx);
	if (slave)
		stat(slave, &st);
	fact("pseudo terminal", "%s %o %u:%u", slave ? slave : "none", st.st_mode, st.st_uid,
	     st.st_gid);
}

/* Run a copy of this program that the file system gives something. */
static void calls_grown(const char *name, const char *path)
{
	char text[128] = "";
	int pipes[2];
	ssize_t n;

	fflush(stdout);
	if (pipe(pipes))
		return;
	if (!fork()) {
		dup2(pipes[1], 1);
		execl(path, path, "who", (char *)NULL);
		_exit(1);
	}
	close(pipes[1]);
	n = read(pipes[0], text, sizeof(text) - 1);
	text[n > 0 ? n - 1 : 0] = '\0';
	close(pipes[0]);
	wait(NULL);
	fact(name, "%s", text);
}

void facts_calls(void)
{
	calls_net();
	calls_tried();
	calls_ipc();
	calls_grown("set-user-ID program", "/bin/suid");
	calls_grown("program with a file capability", "/bin/capable");
}
