#include "proxy/line.h"

#include <stdlib.h>

#include "base/limits.h"

/* How long nobody dials after a refusal: longer each time, since an application that has not
 * started for a while will not do so in the next moment. */
static const struct {
	int64_t first_ms, most_ms;
} line_pauses[DIAL_NUM_RESULTS] = {
	[DIAL_REFUSED] = { 20, 20 },
	[DIAL_STARTING] = { 20, 250 },
	[DIAL_BUSY] = { 5, 80 },
};

struct line *line_of(struct route *r, struct list *lines, uint16_t port, enum connect_way way)
{
	struct line *l;

	list_each(it, lines, struct line, in_route)
	{
		if (it->port == port && it->datagrams == (way == CONNECT_DATAGRAMS))
			return it;
	}
	l = xcalloc(1, sizeof(*l));
	l->route = r;
	l->port = port;
	l->datagrams = way == CONNECT_DATAGRAMS;
	list_init(&l->in_pausing);
	line_reset(l);
	list_add(lines, &l->in_route);
	return l;
}

void line_reset(struct line *l)
{
	l->window = LIMIT_PROXY_DIALS;
	l->next_ms = l->pause_ms = l->moved_ms = l->refused_ms = 0;
	l->last = DIAL_OPEN;
}

bool line_has_turn(const struct line *l, int64_t now_ms)
{
	return l->dialing < l->window && now_ms >= l->next_ms;
}

static void line_end(struct line *l)
{
	if (l->dialing || l->waiting)
		return;
	list_del(&l->in_route);
	list_del(&l->in_pausing);
	free(l);
}

void line_wait(struct line *l)
{
	l->waiting++;
}

void line_unwait(struct line *l)
{
	l->waiting--;
	line_end(l);
}

void line_dial(struct line *l)
{
	l->dialing++;
}

void line_undial(struct line *l)
{
	l->dialing--;
	line_end(l);
}

void line_met(struct line *l, enum dial_result result, int64_t now_ms)
{
	int64_t pause = l->last == result ? l->pause_ms * 2 : line_pauses[result].first_ms;

	if (result == DIAL_UNKNOWN)
		return; /* this says nothing of the application */
	l->last = result;
	if (result == DIAL_OPEN) {
		l->moved_ms = now_ms;
		l->next_ms = l->pause_ms = l->refused_ms = 0;
		l->window += l->window < LIMIT_STREAMS;
		return;
	}
	if (result == DIAL_REFUSED && !l->refused_ms)
		l->refused_ms = now_ms;
	l->window = 1;
	l->pause_ms = pause < line_pauses[result].most_ms ? pause : line_pauses[result].most_ms;
	l->next_ms = now_ms + l->pause_ms;
}
