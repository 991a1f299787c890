#include "session_rig.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define DEADLINE_MS 5000

static void session_rig_on_ready(void *owner)
{
	struct session_rig *r = owner;

	r->ready++;
}

static void session_rig_on_retired(void *owner)
{
	struct session_rig *r = owner;

	r->s = NULL;
}

static const struct session_ops session_rig_ops = { .ready = session_rig_on_ready,
						    .retired = session_rig_on_retired };
static const struct conn_ops no_ops;

bool session_rig_begin(struct session_rig *r)
{
	struct conn *c;
	struct err e;
	int pair[2];

	*r = (struct session_rig){ .peer = -1 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return false;
	uv_loop_init(&r->loop);
	c = conn_new(&r->loop, pair[0], NULL, &no_ops, NULL, &e);
	assert(c);
	r->s = session_new(&r->loop, c, false, &session_rig_ops, r);
	r->peer = pair[1];
	return true;
}

struct upstream *session_rig_stream(struct session_rig *r, size_t i, const struct upstream_ops *ops)
{
	r->up[i] = session_stream(r->s, ops, &r->up[i]);
	return r->up[i];
}

size_t session_rig_number(const struct session_rig *r, const struct upstream *u)
{
	return (size_t)((struct upstream *const *)upstream_owner(u) - r->up);
}

void session_rig_turn(struct session_rig *r, bool takes, struct buf *sent)
{
	static uint8_t data[1 << 16];
	ssize_t n;

	uv_run(&r->loop, UV_RUN_NOWAIT);
	for (size_t i = 0; i < SESSION_RIG_STREAMS && takes; i++)
		if (r->up[i])
			upstream_read_more(r->up[i]);
	while ((n = recv(r->peer, data, sizeof(data), MSG_DONTWAIT)) > 0)
		if (sent)
			buf_add(sent, data, (size_t)n);
}

bool session_rig_end(struct session_rig *r)
{
	int64_t until = clock_mono_ms() + DEADLINE_MS;

	shutdown(r->peer, SHUT_WR);
	while (uv_loop_alive(&r->loop) && clock_mono_ms() < until)
		session_rig_turn(r, true, NULL);
	close(r->peer);
	return !uv_loop_close(&r->loop);
}
