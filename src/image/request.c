#include "image/image.h"

#include <stdio.h>
#include <string.h>

void request_send(struct image_role *role, struct chan_uv *peer, struct request *r,
		  const struct request_what *what,
		  void (*done)(struct request *r, struct ipc_msg *m))
{
	r->done = done;
	r->of = peer;
	if (!peer) {
		done(r, NULL);
		return;
	}
	r->tag = chan_tag(&peer->chan);
	list_add(&role->requests, &r->in);
	chan_uv_send(peer, what->type, r->tag, what->body, what->size, what->fds, what->n_fds);
}

void request_drop(struct request *r)
{
	if (r->tag)
		list_del(&r->in);
	r->tag = 0;
}

bool request_answered(struct image_role *role, struct chan_uv *peer, struct ipc_msg *m)
{
	list_each(r, &role->requests, struct request, in)
	{
		if (r->of != peer || !m->head.tag || r->tag != m->head.tag)
			continue;
		if (r->more && r->more(r, m))
			return true;
		request_drop(r);
		r->done(r, m);
		return true;
	}
	return false;
}

void requests_lost(struct image_role *role, const struct chan_uv *peer)
{
	bool again = true;

	while (again) { /* a callback may drop other requests */
		again = false;
		list_each(r, &role->requests, struct request, in)
		{
			if (r->of != peer)
				continue;
			request_drop(r);
			r->done(r, NULL);
			again = true;
			break;
		}
	}
}

void request_notify(struct chan_uv *peer, uint32_t type, const void *body, size_t size)
{
	if (peer)
		chan_uv_send(peer, type, chan_tag(&peer->chan), body, size, NULL, 0);
}

bool request_failed(const struct ipc_msg *m, struct err *e)
{
	const struct priv_fault *f;

	if (!m) {
		err_set(e, ERR_INTERNAL, "the helper process was restarted");
		return true;
	}
	if (m->head.type != PRIV_FAULT)
		return false;
	f = (const void *)m->body;
	err_set(e, f->kind < ERR_NUM_KINDS ? (enum err_kind)f->kind : ERR_INTERNAL, "%.*s",
		(int)sizeof(f->text) - 1, f->text);
	return true;
}
