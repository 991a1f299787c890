/* queue.c - requests that wait: for their microVM, then for their turn at the port (line.h). */

#include "base/clock.h"
#include "proxy/relay.h"

#define TICK_MS 10

void relay_arm(struct proxy *p)
{
	int64_t next = held_next_ms(&p->clock), now = clock_mono_ms();

	if (next >= 0)
		uv_timer_start(&p->tick_held, relay_on_held_tick,
			       next > now ? (uint64_t)(next - now) : 0, 0);
	else
		uv_timer_stop(&p->tick_held);
	if (list_empty(&p->connecting) && list_empty(&p->pausing) && list_empty(&p->heads))
		uv_timer_stop(&p->tick_connect);
	else if (!uv_is_active((uv_handle_t *)&p->tick_connect))
		uv_timer_start(&p->tick_connect, relay_on_connect_tick, TICK_MS, TICK_MS);
}

void relay_look_again(struct proxy *p, struct line *line)
{
	list_del(&line->in_pausing);
	list_add(&p->pausing, &line->in_pausing);
	relay_arm(p);
}

void relay_unwait(struct relay *r)
{
	if (!r->waiter.held_by)
		return;
	held_remove(&r->waiter);
	if (r->line)
		line_unwait(r->line);
	r->line = NULL;
}

void relay_wait(struct relay *r, struct line *line)
{
	struct route *route = r->route;
	size_t most = (size_t)r->proxy->conf->clients.held_requests;
	size_t looking = line ? line->dialing : 0;

	/* Nobody who came later takes the place of one that only looks whether it is its turn. */
	most = most > looking ? most - looking : 0;
	if (r->hold_until_ms || r->dial_since_ms)
		most = SIZE_MAX;
	if (!r->hold_until_ms)
		r->hold_until_ms = clock_mono_ms() + r->proxy->conf->hold_ms;
	if (!held_add(&route->waiting, &r->proxy->clock, &r->waiter, r->hold_until_ms, most)) {
		relay_refuse(r, 502, "too many requests wait for this microVM");
		return;
	}
	r->line = line;
	if (line) {
		line_wait(line);
		relay_look_again(r->proxy, line);
	}
	relay_arm(r->proxy);
	control_wake(r->proxy, route);
}

static struct line *relay_line(struct relay *r)
{
	return r->line ? r->line : line_of(r->route, &r->route->lines, r->port);
}

void relay_connect(struct relay *r)
{
	struct line *line;

	held_take_turn(&r->route->waiting, &r->waiter);
	if (relay_take_kept(r))
		return;
	line = relay_line(r);
	if (!line->waiting && line_has_turn(line, clock_mono_ms()))
		relay_dial(r, line);
	else
		relay_wait(r, line);
}

/* One that waits, while its gate is open. */
static void relay_try(struct relay *r)
{
	struct line *line = relay_line(r);

	if (line_has_turn(line, clock_mono_ms())) {
		line_dial(line); /* so that the line outlives the waiting */
		relay_unwait(r);
		if (!relay_take_kept(r))
			relay_dial(r, line);
		line_undial(line);
	} else if (!r->line) {
		r->line = line;
		line_wait(line);
	}
}

void relay_gate(struct relay *r)
{
	switch (route_gate(r->route)) {
	case GATE_GO:
		relay_connect(r);
		break;
	case GATE_HOLD:
		relay_wait(r, NULL);
		break;
	case GATE_REFUSE:
	case GATE_NUM:
		relay_refuse(r, 502, "the microVM does not run, and a request does not wake it");
		break;
	}
}

void relay_release(struct route *route)
{
	list_each(w, &route->waiting.waiters, struct waiter, in_waiters)
	{
		struct relay *r = container_of(w, struct relay, waiter);

		if (route_gate(route) == GATE_HOLD)
			return;
		if (route_gate(route) == GATE_GO)
			relay_try(r);
		else
			relay_gate(r);
	}
}

/* Does the application still take one connection after the other?  Then patience is worth it. */
static bool relay_moves_on(struct relay *r, int64_t now_ms)
{
	int64_t until = r->line ? r->line->moved_ms + r->proxy->conf->hold_ms : 0;

	if (!r->line || !r->line->moved_ms || until <= now_ms)
		return false;
	r->hold_until_ms = until;
	held_remove(&r->waiter);
	return held_add(&r->route->waiting, &r->proxy->clock, &r->waiter, until, SIZE_MAX);
}

static void relay_waited_in_vain(struct relay *r)
{
	static const struct {
		unsigned status;
		const char *why;
	} rows[DIAL_NUM_RESULTS] = {
		[DIAL_OPEN] = { 504, "the application took too few connections" },
		[DIAL_REFUSED] = { 502, "nothing listens there" },
		[DIAL_STARTING] = { 502, "nothing has listened there since the microVM's start" },
		[DIAL_BUSY] = { 504, "the application took no connection" },
	};
	long long s = (long long)r->proxy->conf->hold_ms / 1000;

	if (r->line)
		relay_refuse(r, rows[r->line->last].status, "port %u after %lld seconds: %s",
			     r->port, s, rows[r->line->last].why);
	else
		relay_refuse(r, 502, "the microVM was not ready within %lld seconds", s);
}

void relay_on_held_tick(uv_timer_t *timer)
{
	struct proxy *p = timer->data;
	int64_t now = clock_mono_ms();
	struct waiter *w;

	while ((w = held_late(&p->clock, now))) {
		struct relay *r = container_of(w, struct relay, waiter);

		if (!relay_moves_on(r, now))
			relay_waited_in_vain(r);
	}
	relay_arm(p);
}

/* To look is no byte of a request, so it does not keep a microVM awake: if it is suspended
 * meanwhile, those who wait wake it again. */
static void relay_pass_turn(struct line *line)
{
	struct route *route = line->route;

	list_del(&line->in_pausing);
	if (!line->waiting || route_gate(route) != GATE_GO)
		return;
	relay_release(route);
}

static struct line *relay_due_line(const struct proxy *p, int64_t now_ms)
{
	list_each(line, &p->pausing, struct line, in_pausing)
	{
		if (now_ms >= line->next_ms)
			return line;
	}
	return NULL;
}

void relay_on_connect_tick(uv_timer_t *timer)
{
	struct proxy *p = timer->data;
	int64_t now = clock_mono_ms();
	struct line *line;

	list_each(r, &p->connecting, struct relay, in_connecting) relay_dial_tick(r, now);
	list_each(r, &p->heads, struct relay, in_connecting)
	{
		list_del(&r->in_connecting);
		upstream_push(r->up);
	}
	/* Who is next in one line may end another one, so none is remembered. */
	while ((line = relay_due_line(p, now)))
		relay_pass_turn(line);
	relay_arm(p);
}
