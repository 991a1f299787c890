/* super.c - starts the roles in the order of enum role (seat.c).
 *
 * A role that dies is started again after a pause that doubles from 100 ms to 10 s; one that ran
 * for 30 s begins anew; one that does not come up at all ends dozed.  Its peers get a new socket
 * pair each time.
 *
 * At the end roles are stopped in the reverse order of their start, one after the other, because
 * control saves while priv still serves.  A save may take as long as it gets on: a role is killed
 * only when it has been silent for its patience, and then it alone. */

#include "dozed/super.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "dozed/crew.h"
#include "dozed/crew_log.h"
#include "dozed/notify.h"
#include "dozed/seat.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   10000
#define HEALTHY_MS       30000
#define GIVE_UP_MS       1600 /* a role whose pause is this long before all were ready once */

const struct super_patience super_patience = {
	.keep_ms = 15000,
	.role_ms = 60000,
	.save_ms = 600000, /* a disk may take this long for a last fsync without a word */
};

static void super_start_again(struct timer *t);
static void super_lose_patience(struct timer *t);

static void super_announce(struct super *s)
{
	for (size_t i = 0; i < SUPER_SEATS; i++)
		if (s->seats[i].used && !s->seats[i].ready)
			return;
	if (s->announced)
		return;
	s->announced = true;
	log_info("doze serves api=https://127.0.0.1:%d s3=https://127.0.0.1:%d",
		 (int)s->setup->conf->api_port, (int)s->setup->conf->s3_port);
	notify_ready();
	if (s->setup->ready_fd >= 0)
		(void)!write(s->setup->ready_fd, "r", 1);
	fd_close(&s->setup->ready_fd);
}

/* The role that is being stopped is waited for anew. */
static void super_wait(struct super *s, enum role role)
{
	const struct super_patience *p = s->setup->patience;

	if (!s->keep)
		loop_timer(s->loop, &s->patience, role == ROLE_CONTROL ? p->save_ms : p->role_ms,
			   super_lose_patience);
	else if (!s->patience.active)
		loop_timer(s->loop, &s->patience, p->keep_ms, super_lose_patience);
}

static void super_channel(struct watch *w, uint32_t events)
{
	struct super_seat *r = container_of(w, struct super_seat, watch);
	static struct ipc_msg m;
	int rc;

	if ((events & EPOLLOUT) && chan_flush(&r->chan))
		log_warn("a role does not read what it is sent role=%s", role_name[r->role]);
	while ((rc = ipc_recv(r->chan.sock, &m, super_rows, SUPER_NUM_TYPES)) == 1) {
		if (m.head.type == SUPER_READY && !r->ready) {
			r->ready = true;
			crew_ready(r);
		}
		if (m.head.type == SUPER_PROGRESS && r->super->stopping)
			super_wait(r->super, r->role);
		ipc_msg_close(&m);
	}
	if (rc != -EAGAIN) { /* the role has ended, and SIGCHLD reports how */
		loop_unwatch(r->super->loop, w);
		return;
	}
	loop_rewatch(r->super->loop, w, EPOLLIN | (chan_wants_write(&r->chan) ? EPOLLOUT : 0U));
	super_announce(r->super);
}

/* Stops the last role in the order that still runs. When it has ended, this is called for the next.
 */
static void super_stop_next(struct super *s)
{
	struct super_which how = { s->keep || s->unsaved, 0 };

	for (int i = SUPER_SEATS - 1; i >= 0; i--)
		if (s->seats[i].pid) {
			seat_send(&s->seats[i], SUPER_STOP, &how, sizeof(how), -1);
			super_wait(s, s->seats[i].role);
			return;
		}
	loop_stop(s->loop);
}

static void super_lose_patience(struct timer *t)
{
	struct super *s = container_of(t, struct super, patience);

	for (int i = SUPER_SEATS - 1; i >= 0; i--)
		if (s->seats[i].pid) {
			log_warn("a role did not stop in time and is killed role=%s",
				 role_name[s->seats[i].role]);
			kill(s->seats[i].pid, SIGKILL);
			if (!s->keep)
				break; /* the next one is told when this one is gone */
		}
	s->failed = true;
}

static void super_begin_stop(struct super *s, bool keep)
{
	if (s->stopping)
		return;
	log_info("stopping machines=%s", keep ? "stay" : "are suspended");
	s->stopping = true;
	s->keep = keep;
	/* For a `doze up` that comes meanwhile. */
	(void)!write(s->setup->pid_file, SUPER_FILE_STOPPING, strlen(SUPER_FILE_STOPPING));
	/* One that waits to be started again suspends nothing. */
	s->unsaved = !keep && !s->seats[ROLE_CONTROL].pid;
	s->failed |= s->unsaved;
	for (size_t i = 0; i < SUPER_SEATS; i++)
		loop_untimer(s->loop, &s->seats[i].again);
	super_stop_next(s);
}

static void super_start_again(struct timer *t)
{
	struct super_seat *r = container_of(t, struct super_seat, again);
	struct err e;

	if (seat_start(r->super, r, &e)) {
		log_err("%s", e.text);
		loop_timer(r->super->loop, &r->again, BACKOFF_MAX_MS, super_start_again);
	}
}

static void super_died(struct super *s, struct super_seat *r, int status)
{
	bool healthy = clock_mono_ms() - r->started_ms > HEALTHY_MS;

	loop_unwatch(s->loop, &r->watch);
	chan_close(&r->chan);
	r->pid = 0;
	if (s->stopping) {
		if (!WIFEXITED(status) || WEXITSTATUS(status)) {
			s->failed = true;
			s->unsaved |= r->role == ROLE_CONTROL;
		}
		super_stop_next(s);
		return;
	}
	if (crew_ended(r))
		return;
	r->pause_ms = healthy || !r->pause_ms ? BACKOFF_FIRST_MS : r->pause_ms * 2;
	if (r->pause_ms > BACKOFF_MAX_MS)
		r->pause_ms = BACKOFF_MAX_MS;
	if (!s->announced && r->pause_ms >= GIVE_UP_MS) {
		log_err("a role does not start, so doze ends role=%s", role_name[r->role]);
		s->failed = true;
		super_begin_stop(s, true);
		return;
	}
	log_err("a role ended and is started again role=%s worker=%u %s=%d pause_ms=%d",
		role_name[r->role], r->worker, WIFSIGNALED(status) ? "signal" : "code",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), (int)r->pause_ms);
	loop_timer(s->loop, &r->again, r->pause_ms, super_start_again);
}

static void super_reap(struct super *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < SUPER_SEATS; i++)
			if (s->seats[i].pid == pid)
				super_died(s, &s->seats[i], status);
}

static void super_signal(struct watch *w, uint32_t events)
{
	struct super *s = container_of(w, struct super, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (read(w->fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			super_reap(s);
			continue;
		}
		if (info.ssi_signo == SIGHUP) {
			if (!s->stopping)
				crew_reload(s);
			continue;
		}
		s->setup->stopped = true;
		super_begin_stop(s, info.ssi_signo == SIGTERM);
	}
}

static int super_watch_signals(struct super *s, struct err *e)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(e, "watch signals");
	return loop_watch(s->loop, &s->signals, fd, EPOLLIN, super_signal, e);
}

int super_run(struct super_setup *setup, struct err *e)
{
	struct super *s = xcalloc(1, sizeof(*s));
	int rc = -1;

	s->setup = setup;
	s->access_log = -1;
	s->on_channel = super_channel;
	s->on_start = crew_hand_over;
	s->shares_fd = -1;
	s->loop = loop_new(e);
	if (!s->loop || super_watch_signals(s, e))
		goto out;
	for (size_t i = 0; i < ROLE_PROXY; i++)
		s->seats[i] = (struct super_seat){ .super = s, .role = (enum role)i, .used = true };
	crew_begin(s);
	crew_log_begin(s);
	for (size_t i = 0; i < SUPER_SEATS; i++)
		if (s->seats[i].used && seat_start(s, &s->seats[i], e))
			goto out;
	rc = loop_run(s->loop, e);
	if (!rc && s->failed)
		rc = err_set(e, ERR_INTERNAL, "a role did not end cleanly");
out:
	if (s->signals.active)
		close(s->signals.fd);
	loop_free(s->loop);
	crew_free(s);
	crew_log_end(s);
	secrets_free(&setup->secrets);
	free(s);
	return rc;
}
