/* daemon.c - starting and stopping the daemon. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/cli.h"

#define DOWN_MS 330000

static bool systemd_runs(const struct client *c)
{
	struct stat st;

	return !*c->conf.instance && !stat("/run/systemd/system", &st) &&
	       (!access("/etc/systemd/system/doze.service", F_OK) ||
		!access("/usr/local/lib/systemd/system/doze.service", F_OK) ||
		!access("/lib/systemd/system/doze.service", F_OK));
}

static int run_wait(const char *file, const char *const *argv)
{
	pid_t pid = fork();
	int status = 0;

	if (pid < 0)
		return say_text("cannot start %s: %s", file, strerror(errno));
	if (!pid) {
		execvp(file, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* The pid of the running supervisor: its file is locked while it lives; 0: none. */
static pid_t daemon_pid(const struct client *c)
{
	autofree char *path = xasprintf("%s/dozed.pid", c->conf.run_dir);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	autobuf struct buf text = { 0 };

	if (fd < 0 || !flock(fd, LOCK_SH | LOCK_NB) || io_read_all(fd, &text, 64))
		return 0;
	return (pid_t)strtol(buf_str(&text), NULL, 10);
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

	if (run_wait(dozed, argv))
		return say_text("doze did not start; the end of '%s/dozed.log' says why",
				c->conf.log_dir);
	printf("doze is up: type eval \"$(%s)\" to point AWS clients at it\n", env);
	return 0;
}

int cmd_up(struct client *c, const struct typed *t)
{
	const char *config = typed_option(t, "--config");
	bool foreground = typed_option(t, "--foreground");
	autofree char *dozed = xasprintf("%s/dozed", c->conf.libexec_dir);
	const char *argv[8];
	size_t n = 0;

	if (daemon_pid(c)) {
		printf("doze is up already\n");
		return 0;
	}
	if (!foreground && !config && systemd_runs(c))
		return run_wait("systemctl",
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

int cmd_down(struct client *c, const struct typed *t)
{
	bool keep = typed_option(t, "--keep");
	autoclose int process = -1;
	struct pollfd ended = { .events = POLLIN };
	pid_t pid = daemon_pid(c);

	process = pid ? pidfd_open(pid, 0) : -1;
	if (process < 0) {
		printf("doze is not up\n");
		return 0;
	}
	/* SIGTERM leaves machines, SIGINT has them suspended (dozed's supervisor). */
	if (pidfd_send_signal(process, keep ? SIGTERM : SIGINT, NULL, 0))
		return say_text("cannot stop dozed, process %d: %s", (int)pid, strerror(errno));
	ended.fd = process;
	if (poll(&ended, 1, DOWN_MS) != 1)
		return say_text(
			"dozed, process %d, does not end; the end of '%s/dozed.log' says why",
			(int)pid, c->conf.log_dir);
	printf(keep ? "doze is down; its microVMs run on\n"
		    : "doze is down; its microVMs are suspended\n");
	return 0;
}
