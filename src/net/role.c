#include "net/role.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "net/chan_uv.h"

#define ROLE_SECRET_MAX MIB

struct role_link {
	struct chan_uv chan;
	uv_loop_t *loop;
	const struct role_events *events;
	void *arg;
	bool finished, lost;
};

static void role_got_secret(struct role_link *r, struct ipc_msg *m)
{
	const struct super_which *w = (const void *)m->body;
	autoclose int fd = ipc_msg_take_fd(m, 0);
	autobuf struct buf b = { .secret = true };

	if (!r->events->secret || w->which >= SECRET_NUM)
		return;
	if (lseek(fd, 0, SEEK_SET) || io_read_all(fd, &b, ROLE_SECRET_MAX)) {
		log_err("cannot read a secret which=%u", w->which);
		return;
	}
	buf_str(&b);
	r->events->secret(r->arg, (enum secret)w->which, (const char *)b.data, b.size);
}

static void role_got_listener(struct role_link *r, struct ipc_msg *m)
{
	const struct super_listener *l = (const void *)m->body;

	if (r->events->listener && l->which < LISTENER_NUM && l->port <= UINT16_MAX)
		r->events->listener(r->arg, (enum listener)l->which, (uint16_t)l->port,
				    ipc_msg_take_fd(m, 0));
}

static void role_got_peer(struct role_link *r, struct ipc_msg *m)
{
	const struct super_which *w = (const void *)m->body;

	if (r->events->peer && w->which < ROLE_NUM)
		r->events->peer(r->arg, (enum role)w->which, w->more, ipc_msg_take_fd(m, 0));
}

static void role_got_start(struct role_link *r, struct ipc_msg *m)
{
	const struct super_which *w = (const void *)m->body;

	if (r->events->start)
		r->events->start(r->arg, (uint16_t)w->which, w->more);
}

static void role_got_stop(struct role_link *r, struct ipc_msg *m)
{
	const struct super_which *w = (const void *)m->body;

	if (r->events->stop)
		r->events->stop(r->arg, w->which == 1);
	else
		role_finish(r);
}

static void role_got_drain(struct role_link *r, struct ipc_msg *m)
{
	(void)m;
	if (r->events->drain)
		r->events->drain(r->arg);
}

static void role_got_shares(struct role_link *r, struct ipc_msg *m)
{
	const struct super_which *w = (const void *)m->body;

	if (r->events->shares)
		r->events->shares(r->arg, w->which, ipc_msg_take_fd(m, 0));
}

static void role_got_log(struct role_link *r, struct ipc_msg *m)
{
	if (r->events->log)
		r->events->log(r->arg, ipc_msg_take_fd(m, 0));
}

/* clang-format off */
static void (*const role_got_table[SUPER_NUM_TYPES])(struct role_link *r, struct ipc_msg *m) = {
	[SUPER_SECRET]   = role_got_secret,
	[SUPER_LISTENER] = role_got_listener,
	[SUPER_PEER]     = role_got_peer,
	[SUPER_START]    = role_got_start,
	[SUPER_STOP]     = role_got_stop,
	[SUPER_DRAIN]    = role_got_drain,
	[SUPER_LOG]      = role_got_log,
	[SUPER_SHARES]   = role_got_shares,
};
/* clang-format on */

static void role_got(struct chan_uv *c, struct ipc_msg *m)
{
	struct role_link *r = container_of(c, struct role_link, chan);

	if (m->head.type < SUPER_NUM_TYPES && role_got_table[m->head.type])
		role_got_table[m->head.type](r, m);
}

static void role_lost(struct chan_uv *c)
{
	struct role_link *r = container_of(c, struct role_link, chan);

	log_err("the supervisor is gone");
	r->lost = true;
	uv_stop(r->loop);
}

struct role_link *role_open(uv_loop_t *loop, int super_fd, const struct role_events *events,
			    void *arg, struct err *e)
{
	struct role_link *r = xcalloc(1, sizeof(*r));

	signal(SIGPIPE, SIG_IGN);
	r->loop = loop;
	r->events = events;
	r->arg = arg;
	if (chan_uv_open(&r->chan, loop, super_fd, super_rows, SUPER_NUM_TYPES, role_got, role_lost,
			 e)) {
		free(r);
		return NULL;
	}
	return r;
}

static void role_notify(struct role_link *r, uint32_t type)
{
	const struct super_which none = { 0, 0 };

	chan_uv_send(&r->chan, type, 0, &none, sizeof(none), NULL, 0);
}

void role_ready(struct role_link *r)
{
	role_notify(r, SUPER_READY);
}

void role_progress(struct role_link *r)
{
	role_notify(r, SUPER_PROGRESS);
}

void role_finish(struct role_link *r)
{
	r->finished = true;
	uv_stop(r->loop);
}

int role_run(struct role_link *r)
{
	int code;

	while (!r->finished && !r->lost)
		uv_run(r->loop, UV_RUN_DEFAULT);
	code = r->finished ? 0 : 1;
	if (r->finished)
		chan_uv_close(&r->chan, NULL);
	uv_run(r->loop, UV_RUN_NOWAIT); /* lets the channel's handle close */
	free(r);
	return code;
}
