/* super.c - starts the roles in the order of enum role and hands each what its row in roles.c
 * names.
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
#include "base/loop.h"
#include "dozed/notify.h"
#include "dozed/role_exec.h"
#include "dozed/roles.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   10000
#define HEALTHY_MS       30000
#define GIVE_UP_MS       1600 /* a role whose pause is this long before all were ready once */

const struct super_patience super_patience = {
	.keep_ms = 15000,
	.role_ms = 60000,
	.save_ms = 600000, /* a disk may take this long for a last fsync without a word */
};

struct super_role {
	struct super *super;
	enum role role;
	pid_t pid; /* 0: not running */
	bool ready;
	int64_t started_ms, pause_ms;
	struct chan chan;
	struct watch watch;
	struct timer again;
};

struct super {
	struct super_setup *setup;
	struct loop *loop;
	struct super_role roles[ROLE_NUM];
	struct watch signals;
	bool announced, stopping, keep, failed;
	bool unsaved; /* control has not suspended all microVMs: their machines stay */
	struct timer patience;
};

static void super_channel(struct watch *w, uint32_t events);
static void super_start_again(struct timer *t);
static void super_lose_patience(struct timer *t);

static void super_send(struct super_role *r, uint32_t type, const void *body, size_t size, int fd)
{
	if (r->pid && chan_send(&r->chan, type, 0, body, size, &fd, fd >= 0 ? 1 : 0))
		log_warn("a role does not listen to its supervisor role=%s", role_name[r->role]);
}

static void super_hand_over(struct super *s, struct super_role *r)
{
	const struct role_def *def = &role_defs[r->role];
	struct err e;

	for (uint32_t i = 0; i < SECRET_NUM; i++) {
		struct super_which which = { i, 0 };
		autoclose int fd = -1;

		if (!(def->secrets & 1U << i))
			continue;
		fd = secrets_fd(&s->setup->secrets, (enum secret)i, &e);
		if (fd < 0)
			log_err("%s", e.text);
		else
			super_send(r, SUPER_SECRET, &which, sizeof(which), fd);
	}
	for (size_t i = 0; i < s->setup->listeners.n; i++) {
		struct super_listener l = { s->setup->listeners.each[i].which,
					    s->setup->listeners.each[i].port };

		if (def->listeners & 1U << l.which)
			super_send(r, SUPER_LISTENER, &l, sizeof(l),
				   s->setup->listeners.each[i].fd);
	}
}

static void super_connect(struct super *s, enum role a, enum role b)
{
	struct super_which to_a = { b, 0 }, to_b = { a, 0 };
	struct err e;
	int pair[2];

	if (!s->roles[a].pid || !s->roles[b].pid)
		return;
	if (ipc_pair(pair, &e)) {
		log_err("%s", e.text);
		return;
	}
	super_send(&s->roles[a], SUPER_PEER, &to_a, sizeof(to_a), pair[0]);
	super_send(&s->roles[b], SUPER_PEER, &to_b, sizeof(to_b), pair[1]);
	close(pair[0]);
	close(pair[1]);
}

/* Control writes the port into every endpoint unless it is 443. */
static uint32_t super_endpoint_port(const struct super *s)
{
	for (size_t i = 0; i < s->setup->listeners.n; i++)
		if (s->setup->listeners.each[i].which == LISTENER_ENDPOINT)
			return s->setup->listeners.each[i].port;
	return 0;
}

static int super_start(struct super *s, struct super_role *r, struct err *e)
{
	struct super_which begin = { super_endpoint_port(s), 0 };
	pid_t parent = getpid();
	int pair[2];

	if (ipc_pair(pair, e))
		return -1;
	r->pid = fork();
	if (r->pid < 0) {
		r->pid = 0;
		close(pair[0]);
		close(pair[1]);
		return err_sys(e, "start the role %s", role_name[r->role]);
	}
	if (!r->pid)
		role_exec(s->setup->conf, s->setup->config_file, r->role, pair[1], parent);
	close(pair[1]);
	r->ready = false;
	r->started_ms = clock_mono_ms();
	chan_init(&r->chan, pair[0], super_rows, SUPER_NUM_TYPES);
	if (loop_watch(s->loop, &r->watch, pair[0], EPOLLIN, super_channel, e))
		return -1;
	super_hand_over(s, r);
	for (size_t i = 0; i < role_n_pairs; i++)
		if (role_pairs[i][0] == r->role || role_pairs[i][1] == r->role)
			super_connect(s, role_pairs[i][0], role_pairs[i][1]);
	super_send(r, SUPER_START, &begin, sizeof(begin), -1);
	return 0;
}

static void super_announce(struct super *s)
{
	for (size_t i = 0; i < ROLE_NUM; i++)
		if (!s->roles[i].ready)
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
	struct super_role *r = container_of(w, struct super_role, watch);
	static struct ipc_msg m;
	int rc;

	if ((events & EPOLLOUT) && chan_flush(&r->chan))
		log_warn("a role does not read what it is sent role=%s", role_name[r->role]);
	while ((rc = ipc_recv(r->chan.sock, &m, super_rows, SUPER_NUM_TYPES)) == 1) {
		if (m.head.type == SUPER_READY)
			r->ready = true;
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

	for (int i = ROLE_NUM - 1; i >= 0; i--)
		if (s->roles[i].pid) {
			super_send(&s->roles[i], SUPER_STOP, &how, sizeof(how), -1);
			super_wait(s, (enum role)i);
			return;
		}
	loop_stop(s->loop);
}

static void super_lose_patience(struct timer *t)
{
	struct super *s = container_of(t, struct super, patience);

	for (int i = ROLE_NUM - 1; i >= 0; i--)
		if (s->roles[i].pid) {
			log_warn("a role did not stop in time and is killed role=%s", role_name[i]);
			kill(s->roles[i].pid, SIGKILL);
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
	s->unsaved = !keep && !s->roles[ROLE_CONTROL].pid;
	s->failed |= s->unsaved;
	for (size_t i = 0; i < ROLE_NUM; i++)
		loop_untimer(s->loop, &s->roles[i].again);
	super_stop_next(s);
}

static void super_start_again(struct timer *t)
{
	struct super_role *r = container_of(t, struct super_role, again);
	struct err e;

	if (super_start(r->super, r, &e)) {
		log_err("%s", e.text);
		loop_timer(r->super->loop, &r->again, BACKOFF_MAX_MS, super_start_again);
	}
}

static void super_died(struct super *s, struct super_role *r, int status)
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
	r->pause_ms = healthy || !r->pause_ms ? BACKOFF_FIRST_MS : r->pause_ms * 2;
	if (r->pause_ms > BACKOFF_MAX_MS)
		r->pause_ms = BACKOFF_MAX_MS;
	if (!s->announced && r->pause_ms >= GIVE_UP_MS) {
		log_err("a role does not start, so doze ends role=%s", role_name[r->role]);
		s->failed = true;
		super_begin_stop(s, true);
		return;
	}
	log_err("a role ended and is started again role=%s %s=%d pause_ms=%d", role_name[r->role],
		WIFSIGNALED(status) ? "signal" : "code",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), (int)r->pause_ms);
	loop_timer(s->loop, &r->again, r->pause_ms, super_start_again);
}

static void super_reap(struct super *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < ROLE_NUM; i++)
			if (s->roles[i].pid == pid)
				super_died(s, &s->roles[i], status);
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
	s->loop = loop_new(e);
	if (!s->loop || super_watch_signals(s, e))
		goto out;
	for (size_t i = 0; i < ROLE_NUM; i++) {
		s->roles[i].super = s;
		s->roles[i].role = (enum role)i;
		if (super_start(s, &s->roles[i], e))
			goto out;
	}
	rc = loop_run(s->loop, e);
	if (!rc && s->failed)
		rc = err_set(e, ERR_INTERNAL, "a role did not end cleanly");
out:
	if (s->signals.active)
		close(s->signals.fd);
	loop_free(s->loop);
	secrets_free(&setup->secrets);
	free(s);
	return rc;
}
