#include "machine/peer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

static void peer_leave(struct peer *p)
{
	if (p->chan.sock < 0)
		return;
	loop_unwatch(p->loop, &p->watch);
	chan_close(&p->chan);
	p->ops->left(p);
}

static void peer_rewatch(struct peer *p)
{
	loop_rewatch(p->loop, &p->watch, chan_wants_write(&p->chan) ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void peer_ready(struct watch *w, uint32_t events)
{
	struct peer *p = container_of(w, struct peer, watch);
	int rc = 0;

	if (events & EPOLLOUT) {
		rc = chan_flush(&p->chan);
		if (!rc && !chan_wants_write(&p->chan))
			p->ops->room(p);
	}
	if (!rc && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		rc = ipc_recv(p->chan.sock, &p->msg, machine_rows, MACHINE_NUM_TYPES);
		if (rc == 1) {
			p->ops->message(p, &p->msg);
			ipc_msg_close(&p->msg);
		} else if (!rc) {
			rc = -EPIPE;
		}
	}
	if (rc < 0 && rc != -EAGAIN) {
		log_debug("The owner left cause='%s'", strerror(-rc));
		peer_leave(p);
		return;
	}
	peer_rewatch(p);
}

static void peer_accept(struct watch *w, uint32_t events)
{
	struct peer *p = container_of(w, struct peer, listen);
	struct err e;
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	peer_leave(p);
	chan_init(&p->chan, fd, machine_rows, MACHINE_NUM_TYPES);
	if (loop_watch(p->loop, &p->watch, fd, EPOLLIN, peer_ready, &e)) {
		log_err("Cannot serve the owner cause='%s'", e.text);
		chan_close(&p->chan);
		return;
	}
	p->ops->joined(p);
}

int peer_open(struct peer *p, struct loop *l, int listen_fd, const struct peer_ops *ops,
	      struct err *e)
{
	p->loop = l;
	p->ops = ops;
	chan_init(&p->chan, -1, machine_rows, MACHINE_NUM_TYPES);
	return loop_watch(l, &p->listen, listen_fd, EPOLLIN, peer_accept, e);
}

void peer_close(struct peer *p)
{
	loop_unwatch(p->loop, &p->listen);
	loop_unwatch(p->loop, &p->watch);
	chan_close(&p->chan);
}

void peer_send(struct peer *p, uint32_t type, uint64_t tag, const void *body, size_t size)
{
	int rc;

	if (p->chan.sock < 0)
		return;
	rc = chan_send(&p->chan, type, tag, body, size, NULL, 0);
	if (rc)
		log_debug("Cannot send to the owner cause='%s'", strerror(-rc));
	peer_rewatch(p);
}

void peer_send_fault(struct peer *p, uint64_t tag, const struct err *why)
{
	struct machine_fault f = { .kind = (uint32_t)why->kind };

	snprintf(f.text, sizeof(f.text), "%.*s", (int)sizeof(f.text) - 1, why->text);
	peer_send(p, MACHINE_FAULT, tag, &f, sizeof(f));
}

bool peer_has_room(const struct peer *p)
{
	return p->chan.sock >= 0 && !chan_wants_write(&p->chan);
}
