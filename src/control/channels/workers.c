#include "control/channels/workers.h"

#include <stdlib.h>

#include "base/log.h"
#include "ipc/route.h"
#include "ipc/super.h"

static_assert(SUPER_WORKER_SLOTS <= 64, "a worker is a bit of a uint64_t");

static struct worker *worker_of(struct chan_uv *c)
{
	return container_of(c, struct worker, chan);
}

uint64_t worker_bit(const struct worker *w)
{
	return (uint64_t)1 << w->number;
}

uint64_t workers_present(const struct control *ctl)
{
	uint64_t bits = 0;

	list_each(w, &ctl->workers, struct worker, in_control) bits |= worker_bit(w);
	return bits;
}

void workers_send(struct control *ctl, uint32_t type, const void *body, size_t size)
{
	list_each(w, &ctl->workers, struct worker, in_control)
		chan_uv_send(&w->chan, type, 0, body, size, NULL, 0);
}

static void worker_freed(struct chan_uv *c)
{
	free(worker_of(c));
}

static void worker_on_message(struct chan_uv *c, struct ipc_msg *m)
{
	struct worker *w = worker_of(c);

	w->ctl->workers_ops->on_message(w, m);
}

static void worker_lost(struct chan_uv *c)
{
	struct worker *w = worker_of(c);

	c->freed = worker_freed;
	list_del(&w->in_control);
	if (w->ctl->stopping)
		return;
	log_info("a worker of the proxy is gone worker=%u", w->number);
	w->ctl->workers_ops->on_lost(w);
}

static void worker_close(struct worker *w)
{
	list_del(&w->in_control);
	chan_uv_close(&w->chan, worker_freed);
}

void workers_init(struct control *ctl, const struct workers_ops *ops)
{
	ctl->workers_ops = ops;
	list_init(&ctl->workers);
}

int workers_set(struct control *ctl, unsigned number, int fd)
{
	struct worker *w;
	struct err e;

	if (number >= SUPER_WORKER_SLOTS)
		return -1;
	list_each(old, &ctl->workers, struct worker, in_control)
	{
		if (old->number != number)
			continue;
		list_del(&old->in_control);
		ctl->workers_ops->on_lost(old);
		worker_close(old);
	}
	w = xcalloc(1, sizeof(*w));
	w->ctl = ctl;
	w->number = number;
	if (chan_uv_open(&w->chan, &ctl->loop, fd, route_rows, ROUTE_NUM_TYPES, worker_on_message,
			 worker_lost, &e)) {
		log_err("%s role=%s", e.text, role_name[ROLE_PROXY]);
		free(w);
		return 0;
	}
	w->chan.freed = worker_freed;
	list_add(&ctl->workers, &w->in_control);
	ctl->workers_ops->on_up(w);
	return 0;
}

void workers_close(struct control *ctl)
{
	list_each(w, &ctl->workers, struct worker, in_control) worker_close(w);
}
