/* queue.c - callers that wait: for their microVM, then for their turn at the port (line.h). */

#include "base/clock.h"
#include "proxy/caller.h"

#define TICK_MS 10

static void queue_on_held_tick(uv_timer_t *timer);
static void queue_on_connect_tick(uv_timer_t *timer);

void queue_arm(struct proxy *p)
{
	int64_t next = held_next_ms(&p->clock), now = clock_mono_ms();

	if (next >= 0)
		uv_timer_start(&p->tick_held, queue_on_held_tick,
			       next > now ? (uint64_t)(next - now) : 0, 0);
	else
		uv_timer_stop(&p->tick_held);
	if (list_empty(&p->connecting) && list_empty(&p->pausing) && relay_is_idle(p))
		uv_timer_stop(&p->tick_connect);
	else if (!uv_is_active((uv_handle_t *)&p->tick_connect))
		uv_timer_start(&p->tick_connect, queue_on_connect_tick, TICK_MS, TICK_MS);
}

void queue_look_again(struct proxy *p, struct line *line)
{
	list_del(&line->in_pausing);
	list_add(&p->pausing, &line->in_pausing);
	queue_arm(p);
}

void queue_look_at_port(struct proxy *p, struct route *route, uint16_t port)
{
	list_each(line, &route->lines, struct line, in_route)
	{
		if (line->port == port && line->waiting)
			queue_look_again(p, line);
	}
}

void caller_unwait(struct caller *c)
{
	if (!c->waiter.held_by)
		return;
	held_remove(&c->waiter);
	if (c->line)
		line_unwait(c->line);
	c->line = NULL;
}

bool caller_is_held(const struct caller *c)
{
	return c->waiter.held_by && !c->line;
}

void caller_wait(struct caller *c, struct line *line)
{
	struct route *route = c->route;
	size_t most = (size_t)c->proxy->conf->clients.held_requests;
	size_t looking = line ? line->dialing : 0;

	/* Nobody who came later takes the place of one that only looks whether it is its turn. */
	most = most > looking ? most - looking : 0;
	if (c->hold_until_ms || c->dial_since_ms)
		most = SIZE_MAX;
	if (c->ops->held)
		c->ops->held(c, !line);
	if (!c->hold_until_ms)
		c->hold_until_ms = clock_mono_ms() + c->proxy->conf->hold_ms;
	if (!held_add(&route->waiting, &c->proxy->clock, &c->waiter, c->hold_until_ms, most)) {
		if (line) { /* nobody else may need it */
			line_wait(line);
			line_unwait(line);
		}
		caller_refuse(c, REFUSAL_HELD_REQUESTS, "too many requests wait for this microVM");
		return;
	}
	c->line = line;
	if (line) {
		line_wait(line);
		queue_look_again(c->proxy, line);
	}
	queue_arm(c->proxy);
	control_wake(c->proxy, route);
}

static struct line *caller_line(struct caller *c)
{
	return c->line ? c->line : line_of(c->route, &c->route->lines, c->port, c->way);
}

static bool caller_take_kept(struct caller *c)
{
	return c->ops->take_kept && c->ops->take_kept(c);
}

static bool caller_has_turn(struct caller *c, const struct line *line)
{
	return c->ops->has_turn ? c->ops->has_turn(c, line) : line_has_turn(line, clock_mono_ms());
}

static void caller_connect(struct caller *c)
{
	struct line *line;

	held_take_turn(&c->route->waiting, &c->waiter);
	if (caller_take_kept(c))
		return;
	line = caller_line(c);
	if (!line->waiting && caller_has_turn(c, line))
		caller_dial(c, line);
	else
		caller_wait(c, line);
}

/* One that waits, while its gate is open. */
static void caller_try(struct caller *c)
{
	struct line *line = caller_line(c);

	if (caller_has_turn(c, line)) {
		line_dial(line); /* so that the line outlives the waiting */
		caller_unwait(c);
		if (!caller_take_kept(c))
			caller_dial(c, line);
		line_undial(line);
	} else if (!c->line) {
		c->line = line;
		line_wait(line);
	}
}

void caller_gate(struct caller *c)
{
	switch (route_gate(c->route)) {
	case GATE_GO:
		caller_connect(c);
		break;
	case GATE_HOLD:
		caller_wait(c, NULL);
		break;
	case GATE_REFUSE:
	case GATE_NUM:
		caller_refuse(c, REFUSAL_ASLEEP,
			      "the microVM does not run, and a request does not wake it");
		break;
	}
}

void queue_leave_lines(struct route *route)
{
	list_each(w, &route->waiting.waiters, struct waiter, in_waiters)
	{
		struct caller *c = container_of(w, struct caller, waiter);

		if (c->line)
			line_unwait(c->line);
		c->line = NULL;
	}
}

void queue_release(struct route *route)
{
	list_each(w, &route->waiting.waiters, struct waiter, in_waiters)
	{
		struct caller *c = container_of(w, struct caller, waiter);

		if (route_gate(route) == GATE_HOLD)
			return;
		if (route_gate(route) == GATE_GO)
			caller_try(c);
		else
			caller_gate(c);
	}
}

/* Does the application still take one connection after the other?  Then patience is worth it. */
static bool caller_moves_on(struct caller *c, int64_t now_ms)
{
	int64_t until = c->line ? c->line->moved_ms + c->proxy->conf->hold_ms : 0;

	if (!c->line || !c->line->moved_ms || until <= now_ms)
		return false;
	c->hold_until_ms = until;
	held_remove(&c->waiter);
	return held_add(&c->route->waiting, &c->proxy->clock, &c->waiter, until, SIZE_MAX);
}

static void caller_waited_in_vain(struct caller *c)
{
	static const struct {
		enum refusal why;
		const char *text;
	} rows[DIAL_NUM_RESULTS] = {
		[DIAL_OPEN] = { REFUSAL_BACKLOG, "the application took too few connections" },
		[DIAL_REFUSED] = { REFUSAL_NO_LISTENER, "nothing listens there" },
		[DIAL_STARTING] = { REFUSAL_NEVER_LISTENED,
				    "nothing has listened there since the microVM's start" },
		[DIAL_BUSY] = { REFUSAL_BACKLOG, "the application took no connection" },
		[DIAL_UNKNOWN] = { REFUSAL_OLD_IMAGE, "the microVM knows no such port" },
	};
	long long s = (long long)c->proxy->conf->hold_ms / 1000;

	if (c->line)
		caller_refuse(c, rows[c->line->last].why, "port %u after %lld seconds: %s", c->port,
			      s, rows[c->line->last].text);
	else
		caller_refuse(c, REFUSAL_NOT_READY, "the microVM was not ready within %lld seconds",
			      s);
}

static void queue_on_held_tick(uv_timer_t *timer)
{
	struct proxy *p = timer->data;
	int64_t now = clock_mono_ms();
	struct waiter *w;

	while ((w = held_late(&p->clock, now))) {
		struct caller *c = container_of(w, struct caller, waiter);

		if (!caller_moves_on(c, now))
			caller_waited_in_vain(c);
	}
	queue_arm(p);
}

/* To look is no byte of a request, so it does not keep a microVM awake: if it is suspended
 * meanwhile, those who wait wake it again. */
static void queue_pass_turn(struct line *line)
{
	struct route *route = line->route;

	list_del(&line->in_pausing);
	if (!line->waiting || route_gate(route) != GATE_GO)
		return;
	queue_release(route);
}

static struct line *queue_due_line(const struct proxy *p, int64_t now_ms)
{
	list_each(line, &p->pausing, struct line, in_pausing)
	{
		if (now_ms >= line->next_ms)
			return line;
	}
	return NULL;
}

static void queue_on_connect_tick(uv_timer_t *timer)
{
	struct proxy *p = timer->data;
	int64_t now = clock_mono_ms();
	struct line *line;

	list_each(c, &p->connecting, struct caller, in_connecting) caller_dial_tick(c, now);
	relay_tick(p, now);
	/* Who is next in one line may end another one, so none is remembered. */
	while ((line = queue_due_line(p, now)))
		queue_pass_turn(line);
	queue_arm(p);
}
