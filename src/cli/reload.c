/* reload.c - asks the daemon to read its configuration and certificates again. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "cli/cli.h"
#include "cli/daemon.h"
#include "cli/suggest.h"
#include "ipc/super.h"

#define RELOAD_WAIT_MS 10000
#define RELOAD_LOOK_MS 20

static void reload_read(const struct client *c, struct buf *to)
{
	autofree char *path = xasprintf("%s/" SUPER_FILE_RELOADED, c->conf.run_dir);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	buf_clear(to);
	if (fd < 0 || io_read_all(fd, to, MIB))
		buf_clear(to);
}

/* Waits until the daemon has said what came of it.  False: it did not. */
static bool reload_wait(const struct client *c, struct buf *before, struct buf *after)
{
	int64_t end_ms = clock_mono_ms() + RELOAD_WAIT_MS;

	do {
		poll(NULL, 0, RELOAD_LOOK_MS);
		reload_read(c, after);
		if (after->size && strcmp(buf_str(after), buf_str(before)) != 0)
			return true;
	} while (clock_mono_ms() < end_ms);
	return false;
}

int cmd_reload(struct client *c, const struct typed *t)
{
	struct supervisor supervisor = daemon_supervisor(c);
	autoclose int process = supervisor.pid ? pidfd_open(supervisor.pid, 0) : -1;
	autofree char *who = instance_text(&c->conf);
	autofree char *log = daemon_log(c);
	autobuf struct buf before = { 0 };
	autobuf struct buf after = { 0 };
	const char *problems;

	(void)t;
	if (process < 0)
		return say_text("%s is not up", who);
	reload_read(c, &before);
	if (pidfd_send_signal(process, SIGHUP, NULL, 0))
		return say_text("cannot signal dozed, process %d: %s", (int)supervisor.pid,
				strerror(errno));
	if (!reload_wait(c, &before, &after))
		return say_text("the daemon does not answer: %s says what it does", log);
	problems = strchr(buf_str(&after), '\n');
	if (problems && problems[1])
		return say_text("%.*s", (int)strlen(problems + 1) - 1, problems + 1);
	printf("%s is reloaded\n", who);
	return 0;
}
