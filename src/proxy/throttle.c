#include "proxy/throttle.h"

#include "base/clock.h"

#define THROTTLE_TICK_MS 5

void throttle_init(struct throttle *t, void (*go)(struct throttle *t))
{
	*t = (struct throttle){ .go = go };
	list_init(&t->in);
}

void throttle_leave(struct throttle *t)
{
	list_del(&t->in);
}

static struct throttle *throttle_due(const struct proxy *p, int64_t now_us)
{
	list_each(t, &p->throttled, struct throttle, in)
	{
		if (now_us >= t->until_us)
			return t;
	}
	return NULL;
}

/* One that goes on may end others, so none is remembered. */
static void throttle_tick(uv_timer_t *timer)
{
	struct proxy *p = timer->data;
	int64_t now_us = clock_mono_us();
	struct throttle *t;

	while ((t = throttle_due(p, now_us))) {
		list_del(&t->in);
		t->go(t);
	}
	if (list_empty(&p->throttled))
		uv_timer_stop(timer);
}

void throttle_pass(struct throttle *t, struct proxy *p, struct route *r, size_t bytes)
{
	int64_t now_us, wait_ns;

	if (!worker_shares_limit_bytes(p->conf))
		return;
	now_us = clock_mono_us();
	wait_ns = worker_shares_charge(&p->shares, p->conf, r, bytes, now_us * 1000);
	if (!wait_ns)
		return;
	t->until_us = now_us + wait_ns / 1000;
	list_del(&t->in);
	list_add(&p->throttled, &t->in);
	if (!uv_is_active((uv_handle_t *)&p->tick_throttle))
		uv_timer_start(&p->tick_throttle, throttle_tick, THROTTLE_TICK_MS,
			       THROTTLE_TICK_MS);
}
