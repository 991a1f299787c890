/* drain.c - how a worker ends whose place another one has taken: it accepts no connection more, its
 * answers tell clients to connect anew, and it goes when nothing runs through it any more, or when
 * its time is up. */

#include "base/clock.h"
#include "base/log.h"
#include "proxy/proxy.h"
#include "proxy/publish.h"

#define DRAIN_LOOK_MS 100
#define DRAIN_IDLE_MS 3000 /* so long a connection without a request may still send one */

static size_t drain_left(const struct proxy *p)
{
	size_t n = p->server ? http_server_connections(p->server) : 0;

	hash_each(r, &p->routes.by_endpoint, struct route, in_table)
	{
		n += r->waiting.n;
		list_each(l, &r->relays, struct link, in_route) n++;
	}
	return n;
}

static void drain_look(uv_timer_t *timer)
{
	struct proxy *p = timer->data;
	int64_t now = clock_mono_ms();
	size_t left = drain_left(p);

	if (left && now >= p->drain_since_ms + DRAIN_IDLE_MS && p->server)
		http_server_end_idle(p->server);
	if (left && now < p->drain_since_ms + p->conf->drain_ms)
		return;
	if (left)
		log_warn("a worker that was replaced ends, and cuts what still ran n=%zu", left);
	else
		log_info("a worker that was replaced has nothing left to do");
	uv_timer_stop(timer);
	p->on_drained(p);
}

void proxy_drain(struct proxy *p)
{
	if (p->draining)
		return;
	p->draining = true;
	p->drain_since_ms = clock_mono_ms();
	while (p->n_waiting)
		fd_close(&p->waiting[--p->n_waiting].fd);
	publish_stop_accepting(p);
	if (p->server)
		http_server_drain(p->server);
	uv_timer_start(&p->tick_drain, drain_look, 0, DRAIN_LOOK_MS);
}
