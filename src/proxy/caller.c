#include "proxy/caller.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "proxy/pool.h"

#define CALLER_REASON 160

void caller_init(struct caller *c, struct proxy *p, const struct caller_ops *ops)
{
	*c = (struct caller){ .proxy = p, .ops = ops };
	c->link.cut = caller_cut;
	list_init(&c->link.in_route);
	list_init(&c->in_connecting);
}

void caller_refuse(struct caller *c, enum refusal why, const char *text, ...)
{
	char reason[CALLER_REASON];
	va_list args;

	va_start(args, text);
	vsnprintf(reason, sizeof(reason), text, args);
	va_end(args);
	c->ops->refuse(c, why, reason);
}

void caller_leave(struct caller *c)
{
	struct line *line = c->line;

	caller_unwait(c);
	list_del(&c->in_connecting);
	list_del(&c->link.in_route);
	if (c->dial) {
		dial_cancel(c->dial);
		queue_look_again(c->proxy, line);
		line_undial(line);
	}
	c->line = NULL;
	c->dial = NULL;
	c->route = NULL;
}

void caller_cut(struct link *l)
{
	struct caller *c = container_of(l, struct caller, link);
	struct route *route = c->route;

	caller_leave(c);
	c->route = route;
	caller_gate(c);
}

/* May this refusal pass?  The application may still start, may have more callers than its backlog
 * holds, or may need a moment after a wake until it accepts connections again. */
static bool caller_may_pass(const struct caller *c, enum dial_result result, int64_t now_ms)
{
	int64_t open_ms = now_ms - c->route->opened_ms;

	switch (result) {
	case DIAL_BUSY:
		return true;
	case DIAL_STARTING:
		return open_ms < LIMIT_PROXY_STARTING_MS;
	case DIAL_REFUSED:
		/* The agent itself, which opens shells, needs no moment. */
		return c->way != CONNECT_SHELL && open_ms < LIMIT_PROXY_WOKEN_MS &&
		       now_ms - c->line->refused_ms < LIMIT_PROXY_RETRY_MS;
	case DIAL_OPEN:
	case DIAL_UNKNOWN:
	case DIAL_NUM_RESULTS:
		break;
	}
	return false;
}

/* The agent of a snapshot is as old as the snapshot.  Every agent knows the plain way, on which an
 * application hears of its client with the first byte. */
static bool caller_takes_the_plain_way(struct caller *c, enum dial_result result)
{
	if (result != DIAL_UNKNOWN || c->way != CONNECT_AT_ONCE)
		return false;
	c->way = CONNECT_PLAIN;
	return true;
}

/* Returns false if the caller has to wait for another turn. */
static bool caller_goes_on(struct caller *c, enum dial_result result, int fd)
{
	struct line *line = c->line;

	if (result == DIAL_OPEN) {
		c->line = NULL;
		if (c->ops->opened(c, fd))
			return true;
		c->line = line;
		return false;
	}
	if (caller_takes_the_plain_way(c, result) || caller_may_pass(c, result, clock_mono_ms()))
		return false;
	line->next_ms = 0; /* the next one may hear the same at once */
	if (c->way == CONNECT_SHELL)
		caller_refuse(c, REFUSAL_OLD_IMAGE,
			      "the image was made by an older doze, which knows no shells: "
			      "build or rebuild it");
	else if (result == DIAL_UNKNOWN)
		caller_refuse(c, REFUSAL_OLD_IMAGE,
			      "the image was made by a doze that knows no such ports: "
			      "build or rebuild it");
	else
		caller_refuse(c, REFUSAL_NO_LISTENER, "nothing listens on port %u", c->port);
	return true;
}

static void caller_dialed(void *arg, enum dial_result result, int fd)
{
	struct caller *c = arg;
	struct route *route = c->route;
	struct proxy *p = c->proxy;
	struct line *line = c->line;

	c->dial = NULL;
	list_del(&c->in_connecting);
	line_met(line, result, clock_mono_ms());
	/* The backlog of an application that serves one connection after the other may be full
	 * because it waits for a request on one that is kept. */
	if (result == DIAL_BUSY)
		pool_drop_port(route, c->port);
	if (!caller_goes_on(c, result, fd)) {
		list_del(&c->link.in_route);
		caller_wait(c, line);
	}
	if (line->waiting && line_has_turn(line, clock_mono_ms()))
		queue_release(route);
	if (line->waiting)
		queue_look_again(p, line);
	line_undial(line);
}

struct dial *caller_dial_port(const struct caller *c,
			      void (*done)(void *arg, enum dial_result result, int fd), void *arg)
{
	const struct route_set *row = &c->route->row;
	char path[sizeof(c->proxy->conf->run_dir) + sizeof(row->machine) + 32];

	snprintf(path, sizeof(path), "%s/m/%s/stream.sock", c->proxy->conf->run_dir, row->machine);
	return dial_start(c->proxy->loop, path, &(struct connect_ask){ c->port, c->way }, done,
			  arg);
}

void caller_dial(struct caller *c, struct line *line)
{
	line_dial(line);
	c->line = line;
	c->dial_since_ms = clock_mono_ms();
	list_add(&c->route->relays, &c->link.in_route);
	list_add(&c->proxy->connecting, &c->in_connecting);
	queue_arm(c->proxy);
	c->dial = caller_dial_port(c, caller_dialed, c);
}

void caller_dial_tick(struct caller *c, int64_t now_ms)
{
	if (now_ms - c->dial_since_ms < LIMIT_NET_DIAL_MS)
		return;
	log_warn("a machine does not answer machine=%s", c->route->row.machine);
	caller_refuse(c, REFUSAL_MUTE, "the microVM gave no connection to port %u for %d seconds",
		      c->port, LIMIT_NET_DIAL_MS / 1000);
}
