#include "guest/app.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "guest/boot.h"
#include "guest/container.h"
#include "guest/sysctl.h"
#include "ipc/agent.h"

#define APP_RESERVE (32 * MIB) /* memory that the application cannot take from the guest */
#define APP_PIDS    "8192"
#define APP_SLICE   "/sys/fs/cgroup/system.slice"

/* The child gets the write ends.  All ends are close-on-exec. */
struct app_pipes {
	int out[2], err[2], report[2];
};

static int app_write_files(const struct app_spec *s, struct err *e)
{
	if (mkdir(CONTAINER_FILES, 0755) && errno != EEXIST)
		return err_sys(e, "make '%s'", CONTAINER_FILES);
	for (size_t i = 0; i < s->n_files; i++) {
		char path[64];
		autoclose int fd = -1;
		int rc;

		snprintf(path, sizeof(path), CONTAINER_FILES "/%zu", i);
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (fd < 0)
			return err_sys(e, "write '%s'", path);
		rc = io_write_full(fd, s->files[i].data, s->files[i].size);
		errno = -rc;
		if (rc)
			return err_sys(e, "write '%s'", s->files[i].path);
	}
	return 0;
}

/* Open the directory of the application's cgroup, or return -1. */
static int app_cgroup(struct err *e)
{
	static const char *const groups[] = { APP_SLICE, CONTAINER_CGROUP };
	struct sysinfo info;
	char memory[32];
	int fd;

	sysinfo(&info);
	snprintf(memory, sizeof(memory), "%llu",
		 (unsigned long long)info.totalram * info.mem_unit - APP_RESERVE);
	if (file_put("/sys/fs/cgroup/cgroup.subtree_control", "+memory +pids", e))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (mkdir(groups[i], 0755) && errno != EEXIST)
			return err_sys(e, "make '%s'", groups[i]);
	if (file_put(APP_SLICE "/cgroup.subtree_control", "+memory +pids", e) ||
	    file_put(CONTAINER_CGROUP "/memory.max", memory, e) ||
	    file_put(CONTAINER_CGROUP "/pids.max", APP_PIDS, e))
		return -1;
	fd = open(CONTAINER_CGROUP, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "open '%s'", CONTAINER_CGROUP) : fd;
}

static int app_open_pipes(struct app_pipes *p, struct err *e)
{
	if (pipe2(p->out, O_CLOEXEC) || pipe2(p->err, O_CLOEXEC) || pipe2(p->report, O_CLOEXEC))
		return err_sys(e, "make the application's pipes");
	if (io_nonblock(p->out[0]) || io_nonblock(p->err[0]))
		return err_set(e, ERR_INTERNAL, "make the application's pipes not block");
	return 0;
}

static int app_stdio(const struct app_pipes *p, struct err *e)
{
	autoclose int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(p->out[1], STDOUT_FILENO) < 0 ||
	    dup2(p->err[1], STDERR_FILENO) < 0)
		return err_sys(e, "set up standard input and output");
	return 0;
}

static _Noreturn void app_child(struct app_spec *s, const struct app_pipes *p)
{
	struct err e = { 0 };

	if (!app_stdio(p, &e))
		container_enter(s, p->report[1]);
	(void)!write(p->report[1], e.text, strlen(e.text));
	_exit(CONTAINER_FAILED);
}

/* Without a stack of its own the child continues here with a copy of all memory, as after fork. */
static int app_clone(int cgroup)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP |
			 (uint64_t)(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC),
		.exit_signal = SIGCHLD,
		.cgroup = (unsigned)cgroup,
	};

	return (int)syscall(SYS_clone3, &args, sizeof(args));
}

/* Log what the child reports.  It reports only if it could not become the application. */
static void app_log_report(struct app *a, int report)
{
	char text[1024];
	ssize_t n = read(report, text, sizeof(text) - 1);

	if (n <= 0)
		return;
	text[n] = '\0';
	logs_note(a->port, "%s", text);
}

static int app_run(struct app *a, struct app_spec *s, struct err *e)
{
	struct app_pipes p;
	autoclose int cgroup = -1;

	if (s->all_caps && boot_modules("more", e))
		return -1;
	spec_file_default(s, "/etc/resolv.conf", "nameserver " SLOT_DNS_IP "\n");
	spec_file_default(s, "/etc/hostname", CONTAINER_HOSTNAME "\n");
	spec_file_default(s, "/etc/hosts",
			  "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
	cgroup = app_cgroup(e);
	if (cgroup < 0 || app_write_files(s, e) || app_open_pipes(&p, e))
		return -1;
	a->pid = app_clone(cgroup);
	if (!a->pid)
		app_child(s, &p);
	close(p.out[1]);
	close(p.err[1]);
	close(p.report[1]);
	if (a->pid < 0) {
		a->pid = 0;
		return err_sys(e, "make the application's process");
	}
	if (logs_open(&a->logs, a->port, p.out[0], p.err[0], e))
		return -1;
	app_log_report(a, p.report[0]);
	close(p.report[0]);
	return 0;
}

static void app_exit(struct app *a, uint64_t code)
{
	size_t mark = agent_begin(&a->port->out, AGENT_EXIT);

	agent_put_u64(&a->port->out, FIELD_CODE, code);
	agent_end(&a->port->out, mark);
	port_send(a->port);
}

void app_start(struct app *a, struct port *port, const struct agent_frame *f)
{
	struct app_spec spec;
	struct err e = { 0 };

	if (a->started)
		return;
	a->started = true;
	a->port = port;
	if (spec_parse(f, &spec, &e) || app_run(a, &spec, &e)) {
		logs_note(port, "%s", e.text);
		app_exit(a, CONTAINER_FAILED);
	}
	spec_free(&spec);
}

void app_reaped(struct app *a, int pid, int status)
{
	int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);

	if (!a->pid || pid != a->pid)
		return;
	a->pid = 0;
	logs_drain(&a->logs);
	app_exit(a, (uint64_t)code);
}
