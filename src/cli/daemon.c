/* daemon.c - starts and stops the daemon. */

#include "cli/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "cli/child.h"
#include "cli/cli.h"
#include "cli/machines.h"
#include "cli/progress.h"
#include "cli/suggest.h"
#include "ipc/super.h"

#define DOWN_CHECK_MS 500
#define DOWN_ASK_MS   5000
#define DOWN_HINT_MS  30000

static bool systemd_runs(const struct client *c)
{
	struct stat st;

	return !*c->conf.instance && !stat("/run/systemd/system", &st) &&
	       (!access("/etc/systemd/system/doze.service", F_OK) ||
		!access("/usr/local/lib/systemd/system/doze.service", F_OK) ||
		!access("/lib/systemd/system/doze.service", F_OK));
}

/* The supervisor keeps its pid file locked while it lives.  An owned descriptor of the file, or -1.
 */
static int daemon_file(const struct client *c, struct supervisor *s)
{
	autofree char *path = xasprintf("%s/dozed.pid", c->conf.run_dir);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	autobuf struct buf text = { 0 };

	*s = (struct supervisor){ 0 };
	if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) && !io_read_all(fd, &text, 64)) {
		s->pid = (pid_t)strtol(buf_str(&text), NULL, 10);
		s->stopping = strstr(buf_str(&text), SUPER_FILE_STOPPING);
	}
	return fd_steal(&fd);
}

/* Keeps no lock on the pid file, so that a daemon can be started next. */
struct supervisor daemon_supervisor(const struct client *c)
{
	struct supervisor s;
	int file = daemon_file(c, &s);

	fd_close(&file);
	return s;
}

char *daemon_log(const struct client *c)
{
	return systemd_runs(c) ? xstrdup("'journalctl -u doze'")
			       : xasprintf("the end of '%s/dozed.log'", c->conf.log_dir);
}

static int up_foreground(const char *dozed, const char *const *argv)
{
	execv(dozed, (char *const *)(uintptr_t)argv);
	return say_text("cannot start '%s': %s; install doze with tools/install", dozed,
			strerror(errno));
}

static int up_background(struct client *c, const char *dozed, const char *const *argv)
{
	autofree char *env = command_text(&c->conf, "env");
	autofree char *who = instance_text(&c->conf);

	int status = child_run(dozed, argv);

	if (status == CHILD_NOT_STARTED)
		return say_text("cannot start '%s': install doze with tools/install", dozed);
	if (status)
		return 1; /* dozed has said why */
	printf("%s is up: type eval \"$(%s)\" to point AWS clients at it\n", who, env);
	return 0;
}

static int up_already(const struct client *c, const struct supervisor *s)
{
	autofree char *who = instance_text(&c->conf);
	autofree char *up = command_text(&c->conf, "up");
	autofree char *down = command_text(&c->conf, "down");

	if (s->stopping)
		return say_text("%s is being stopped: '%s' shows how far that is and waits for "
				"the end, then '%s' starts it again",
				who, down, up);
	printf("%s is up already\n", who);
	return 0;
}

int cmd_up(struct client *c, const struct typed *t)
{
	const char *config = typed_option(t, "--config");
	bool foreground = typed_option(t, "--foreground");
	autofree char *dozed = xasprintf("%s/dozed", c->conf.libexec_dir);
	struct supervisor supervisor = daemon_supervisor(c);
	const char *argv[8];
	size_t n = 0;

	if (supervisor.pid)
		return up_already(c, &supervisor);
	if (!foreground && !config && systemd_runs(c))
		return child_run("systemctl",
				 (const char *const[]){ "systemctl", "start", "doze", NULL });
	argv[n++] = "dozed";
	argv[n++] = "--instance";
	argv[n++] = c->conf.instance;
	if (config) {
		argv[n++] = "--config";
		argv[n++] = config;
	}
	if (!foreground)
		argv[n++] = "--daemon";
	argv[n] = NULL;
	return foreground ? up_foreground(dozed, argv) : up_background(c, dozed, argv);
}

/* Shows how far the daemon is.  False: it does not know the operation, or does not let us ask. */
static bool down_ask(struct client *c, struct progress *p)
{
	autobuf struct buf answer = { 0 };
	json_t *drain;
	long status;
	struct err e;

	if (client_call(c, "GET", "/doze/v1/drain", NULL, &answer, &status, &e))
		return !status; /* a daemon that is busy may answer the next time */
	drain = json_loadb((const char *)answer.data, answer.size, 0, NULL);
	progress_show(p, drain);
	json_decref(drain);
	return true;
}

/* Waits until the daemon has ended, however long that takes. */
static void down_wait(struct client *c, int process, struct progress *p, bool ask)
{
	struct pollfd ended = { .fd = process, .events = POLLIN };
	int64_t hint_ms = clock_mono_ms() + DOWN_HINT_MS;

	while (poll(&ended, 1, DOWN_CHECK_MS) != 1) {
		ask = ask && down_ask(c, p);
		if (p->last || !hint_ms || clock_mono_ms() < hint_ms)
			continue;
		autofree char *log = daemon_log(c);
		fprintf(stderr, "still waiting for the daemon to end: %s says what it does\n", log);
		hint_ms = 0;
	}
}

static bool down_clean(int file)
{
	autobuf struct buf text = { 0 };

	return lseek(file, 0, SEEK_SET) || io_read_all(file, &text, 64) ||
	       !strstr(buf_str(&text), SUPER_FILE_FAILED);
}

static int down_columns(void)
{
	struct winsize size;

	if (!isatty(STDERR_FILENO))
		return 0;
	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || !size.ws_col ? 80 : size.ws_col;
}

/* Machines outlive a daemon that was killed, or was stopped with --keep. Who takes doze for stopped
 * may shut down the host, and loses them. */
static int down_already(const struct client *c, bool keep)
{
	unsigned n = keep ? 0 : machines_alive(c->conf.run_dir);
	autofree char *who = instance_text(&c->conf);
	autofree char *up = command_text(&c->conf, "up");
	autofree char *down = command_text(&c->conf, "down");

	if (!n) {
		printf("%s is not up\n", who);
		return 0;
	}
	return say_text("%s is not up, but %u machine%s on without it (running microVMs and the "
			"pool's clones): '%s', then '%s' suspends the microVMs",
			who, n, n == 1 ? " runs" : "s run", up, down);
}

int cmd_down(struct client *c, const struct typed *t)
{
	bool keep = typed_option(t, "--keep");
	autofree char *log = daemon_log(c);
	autofree char *who = instance_text(&c->conf);
	struct progress progress;
	struct supervisor supervisor;
	autoclose int file = daemon_file(c, &supervisor);
	autoclose int process = supervisor.pid ? pidfd_open(supervisor.pid, 0) : -1;
	struct err e;
	bool ask;

	if (process < 0)
		return down_already(c, keep);
	c->timeout_ms = DOWN_ASK_MS;
	ask = !keep && !client_connect(c, &e);
	/* The supervisor suspends the machines on SIGINT and leaves them running on SIGTERM. */
	if (pidfd_send_signal(process, keep ? SIGTERM : SIGINT, NULL, 0))
		return say_text("cannot stop dozed, process %d: %s", (int)supervisor.pid,
				strerror(errno));
	progress_begin(&progress, stderr, down_columns());
	down_wait(c, process, &progress, ask);
	if (keep) {
		(void)progress_end(&progress, true, &c->conf, log);
		printf("%s is down; its microVMs run on\n", who);
		return 0;
	}
	if (progress_end(&progress, down_clean(file), &c->conf, log)) {
		printf("%s is down; not all of its microVMs are suspended\n", who);
		return 1;
	}
	printf("%s is down; its microVMs are suspended\n", who);
	return 0;
}
