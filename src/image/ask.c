#include "image/image.h"

#include <stdio.h>
#include <string.h>

void ask_send(struct image_role *role, struct chan_uv *peer, struct ask *a,
	      const struct ask_what *what, void (*done)(struct ask *a, struct ipc_msg *m))
{
	a->done = done;
	a->of = peer;
	if (!peer) {
		done(a, NULL);
		return;
	}
	a->tag = chan_tag(&peer->chan);
	list_add(&role->asks, &a->in);
	chan_uv_send(peer, what->type, a->tag, what->body, what->size, what->fds, what->n_fds);
}

void ask_drop(struct ask *a)
{
	if (a->tag)
		list_del(&a->in);
	a->tag = 0;
}

bool ask_got(struct image_role *role, struct chan_uv *peer, struct ipc_msg *m)
{
	list_each(a, &role->asks, struct ask, in)
	{
		if (a->of != peer || !m->head.tag || a->tag != m->head.tag)
			continue;
		if (a->more && a->more(a, m))
			return true;
		ask_drop(a);
		a->done(a, m);
		return true;
	}
	return false;
}

void ask_lost(struct image_role *role, const struct chan_uv *peer)
{
	bool again = true;

	while (again) { /* a callback may drop others */
		again = false;
		list_each(a, &role->asks, struct ask, in)
		{
			if (a->of != peer)
				continue;
			ask_drop(a);
			a->done(a, NULL);
			again = true;
			break;
		}
	}
}

void ask_tell(struct chan_uv *peer, uint32_t type, const void *body, size_t size)
{
	if (peer)
		chan_uv_send(peer, type, chan_tag(&peer->chan), body, size, NULL, 0);
}

bool ask_failed(const struct ipc_msg *m, struct err *e)
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
