#include "machine/owner.h"

#include <stdio.h>

#include "base/log.h"
#include "machine/serve.h"

#define OWNER_LAST_MS 2000 /* until the owner has read EXITED */

static struct owner *owner_of(struct peer *p)
{
	return container_of(p, struct owner, peer);
}

static void owner_joined(struct peer *p)
{
	struct owner *o = owner_of(p);
	struct machine_hello hello = { MACHINE_PROTOCOL, (uint32_t)o->run, "" };

	snprintf(hello.kind, sizeof(hello.kind), "%s", o->ops->kind);
	peer_send(p, MACHINE_HELLO, 0, &hello, sizeof(hello));
	agent_kick(o->agent);
}

static void owner_message(struct peer *p, struct ipc_msg *msg)
{
	struct owner *o = owner_of(p);
	uint32_t type = msg->head.type;
	struct err e;

	if (serve_check(type, o->run, o->ops->busy(o), &e)) {
		peer_send_fault(p, msg->head.tag, &e);
	} else if (o->ops->take[type]) {
		o->ops->take[type](o, msg);
	} else {
		err_set(&e, ERR_INVALID, "this machine does not serve request %u", type);
		peer_send_fault(p, msg->head.tag, &e);
	}
}

/* A machine that ends only waits until its owner has read EXITED. */
static void owner_room(struct peer *p)
{
	struct owner *o = owner_of(p);

	if (o->run == MACHINE_ENDING)
		loop_stop(o->loop);
	else
		agent_kick(o->agent);
}

static void owner_left(struct peer *p)
{
	struct owner *o = owner_of(p);

	agent_owner_left(o->agent);
	if (o->run == MACHINE_ENDING)
		loop_stop(o->loop);
}

static const struct peer_ops owner_peer_ops = {
	.joined = owner_joined,
	.message = owner_message,
	.room = owner_room,
	.left = owner_left,
};

int owner_open(struct owner *o, struct loop *l, int listen_fd, const struct owner_ops *ops,
	       struct agent *agent, struct err *e)
{
	o->loop = l;
	o->ops = ops;
	o->agent = agent;
	return peer_open(&o->peer, l, listen_fd, &owner_peer_ops, e);
}

void owner_close(struct owner *o)
{
	loop_untimer(o->loop, &o->doom);
	peer_close(&o->peer);
}

void owner_ready(struct owner *o, uint64_t tag)
{
	static const struct machine_none none;

	peer_send(&o->peer, MACHINE_READY, tag, &none, sizeof(none));
}

bool owner_deliver(struct owner *o, const uint8_t *frames, size_t size)
{
	if (o->sealed || o->peer.chan.sock < 0 ||
	    (o->run != MACHINE_PAUSED && !peer_has_room(&o->peer)))
		return false;
	peer_send(&o->peer, MACHINE_AGENT, 0, frames, size);
	return true;
}

void owner_take_agent(struct owner *o, struct ipc_msg *msg)
{
	struct err e;

	if (agent_put_bytes(o->agent, msg->body, msg->head.size, &e))
		peer_send_fault(&o->peer, msg->head.tag, &e);
}

void owner_agent_broken(struct owner *o)
{
	struct err e;

	err_set(&e, ERR_INVALID, "the guest's agent sends what is no frame");
	peer_send_fault(&o->peer, 0, &e);
}

static void owner_last(struct timer *t)
{
	loop_stop(container_of(t, struct owner, doom)->loop);
}

void owner_end(struct owner *o, const char *fmt, va_list ap)
{
	struct machine_exited last = { 0 };

	if (o->run == MACHINE_ENDING)
		return;
	vsnprintf(last.reason, sizeof(last.reason), fmt, ap);
	log_info("The machine ends reason='%s'", last.reason);
	o->run = MACHINE_ENDING;
	o->ops->ending(o);
	peer_send(&o->peer, MACHINE_EXITED, 0, &last, sizeof(last));
	if (chan_wants_write(&o->peer.chan))
		loop_timer(o->loop, &o->doom, OWNER_LAST_MS, owner_last);
	else
		loop_stop(o->loop);
}
