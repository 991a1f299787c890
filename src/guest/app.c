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

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "guest/boot.h"
#include "guest/container.h"
#include "guest/ending.h"
#include "guest/sysctl.h"
#include "ipc/agent.h"

#define APP_RESERVE (32 * MIB) /* memory that the application cannot take from the guest */
#define APP_PIDS    "8192"
#define APP_SLICE   "/sys/fs/cgroup/system.slice"

/* As Docker writes it. */
/* The child gets the write ends.  All ends are close-on-exec. */
struct app_pipes {
	int out[2], err[2], report[2];
};

static uint64_t app_memory(void)
{
	struct sysinfo info;

	sysinfo(&info);
	return (uint64_t)info.totalram * info.mem_unit - APP_RESERVE;
}

/* Open the directory of the application's cgroup, or return -1. */
static int app_cgroup(struct err *e)
{
	static const char *const groups[] = { APP_SLICE, CONTAINER_CGROUP };
	char memory[32];
	int fd;

	snprintf(memory, sizeof(memory), "%llu", (unsigned long long)app_memory());
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

static _Noreturn void app_child(struct app_spec *s, const struct app_pipes *p)
{
	if (dup2(p->out[1], STDOUT_FILENO) >= 0 && dup2(p->err[1], STDERR_FILENO) >= 0)
		container_enter(s, p->report[1]);
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

/* Keep what the child reports until it is the application, or has ended (container_enter). */
static void app_read_report(struct app *a, int report)
{
	size_t n = 0;
	ssize_t got;

	while (n < sizeof(a->report) - 2 &&
	       (got = read(report, a->report + n, sizeof(a->report) - 2 - n)) > 0)
		n += (size_t)got;
	memset(a->report + n, 0, sizeof(a->report) - n);
	a->hint = a->report;
	a->failure = a->report + strlen(a->report) + 1;
	if (*a->failure)
		logs_note(a->port, "%s", a->failure);
}

static int app_run(struct app *a, struct app_spec *s, struct err *e)
{
	struct app_pipes p;
	autoclose int cgroup = -1;

	if (s->all_caps && boot_modules("more", e))
		return -1;
	spec_file_default(s, "/etc/resolv.conf", "nameserver " SLOT_DNS_IP "\n");
	spec_file_default(s, "/etc/hostname", CONTAINER_HOSTNAME "\n");
	spec_file_default(s, "/etc/hosts", SLOT_HOSTS);
	cgroup = app_cgroup(e);
	if (cgroup < 0 || oom_open(&a->oom, a->port, app_memory(), e) || app_open_pipes(&p, e))
		return -1;
	a->started_ms = clock_mono_ms();
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
	app_read_report(a, p.report[0]);
	close(p.report[0]);
	return 0;
}

static void app_exit(struct app *a, uint64_t code, const char *reason)
{
	size_t mark = agent_begin(&a->port->out, AGENT_EXIT);

	agent_put_u64(&a->port->out, FIELD_CODE, code);
	agent_put_text(&a->port->out, FIELD_REASON, reason);
	agent_end(&a->port->out, mark);
	port_send(a->port);
}

void app_start(struct app *a, struct port *port, const struct agent_frame *f)
{
	struct err e = { 0 };

	if (a->started)
		return;
	a->started = true;
	a->port = port;
	a->hint = a->failure = "";
	if (boot_root(&e) || spec_parse(f, &a->spec, &e) || app_run(a, &a->spec, &e)) {
		logs_note(port, "%s", e.text);
		app_exit(a, CONTAINER_FAILED, e.text);
	}
	spec_drop_files(&a->spec);
}

void app_reaped(struct app *a, int pid, int status)
{
	char output[3 * LOG_TAIL + 1], text[ENDING_TEXT];
	struct ending end = { .status = status, .failure = a->failure, .hint = a->hint };

	if (!a->pid || pid != a->pid)
		return;
	a->pid = 0;
	logs_drain(&a->logs);
	end.ran_ms = clock_mono_ms() - a->started_ms;
	end.oom_kills = oom_look(&a->oom);
	end.memory_max = a->oom.memory_max;
	end.output = "";
	ending_text(&end, text, sizeof(text));
	if (!*a->failure)
		logs_note(a->port, "%s", text);
	log_tail_text(&a->logs.tail, output, sizeof(output));
	end.output = output;
	ending_text(&end, text, sizeof(text));
	app_exit(a, (uint64_t)ending_code(&end), text);
}
