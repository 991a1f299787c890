#include "image/ready.h"

#include <string.h>

#define READY_SECOND_MS  1000
#define READY_USUAL_PORT 8080
#define READY_NEVER      INT64_MAX

/* More of this in a second is work.  Below it are a server's heartbeat, a shell that sleeps in a
 * loop, and what Linux does by itself. */
#define READY_DISK_BYTES (256 * KIB)
#define READY_NET_BYTES  (2 * KIB)
#define READY_TASKS      2 /* that begin or end */
/* Output alone is work only so long after the last other work: some servers write all the time. */
#define READY_OUTPUT_MS    10000
#define READY_MEMORY_BYTES (2 * MIB) /* that may come and go while the work is steady */

/* Slow starts have longer pauses: a part of the time since the start, if that is more than what the
 * table says, and at most so long. */
#define READY_SLOWNESS    30
#define READY_SLOWNESS_MS 1500

/* Up to so many percent of a core a rest may use. */
static const uint64_t ready_percent[READY_NUM_RESTS] = {
	[READY_QUIET] = 20,
	[READY_CALM] = 50,
	[READY_STEADY] = UINT64_MAX,
};

/* How long each rest must last: the more is missing, the longer.  The second row of READY_NOTHING
 * is for an image that EXPOSEs a port. */
static const int64_t ready_lasts_ms[READY_NUM_OPEN + 1][READY_NUM_RESTS] = {
	/*                   quiet  calm   steady */
	[READY_NOTHING] = { 10000, 30000, 300000 },       [READY_ANOTHER] = { 8000, 20000, 120000 },
	[READY_SOME] = { 3000, 10000, 120000 },           [READY_ALL] = { 1000, 8000, 120000 },
	[READY_NUM_OPEN] = { 30000, 60000, READY_NEVER },
};

void ready_begin(struct ready *r, const struct ready_ports *exposed)
{
	*r = (struct ready){ .wanted = *exposed };
	r->promised = exposed->n_tcp || exposed->n_udp;
	if (!r->promised) {
		r->wanted.tcp[0] = READY_USUAL_PORT;
		r->wanted.n_tcp = 1;
	}
	for (size_t i = 0; i < READY_NUM_RESTS; i++)
		r->since_ms[i] = -1;
}

static size_t ready_count(const uint16_t *ports, size_t n, const uint16_t *wanted, size_t n_wanted)
{
	size_t found = 0;

	for (size_t i = 0; i < n_wanted; i++)
		for (size_t k = 0; k < n; k++)
			if (ports[k] == wanted[i]) {
				found++;
				break;
			}
	return found;
}

static void ready_set_open(struct ready *r)
{
	const struct ready_ports *w = &r->wanted, *l = &r->listening;
	size_t open = ready_count(l->tcp, l->n_tcp, w->tcp, w->n_tcp) +
		      ready_count(l->udp, l->n_udp, w->udp, w->n_udp);

	r->open = open == w->n_tcp + w->n_udp ? READY_ALL
		  : open                      ? READY_SOME
		  : l->n_tcp                  ? READY_ANOTHER
					      : READY_NOTHING;
}

static bool ready_put_ports(uint16_t *to, size_t *n_to, const uint16_t *ports, size_t n)
{
	n = n < BUILD_MAX_PORTS ? n : BUILD_MAX_PORTS;
	if (*n_to == n && !memcmp(to, ports, n * sizeof(*ports)))
		return false;
	memcpy(to, ports, n * sizeof(*ports));
	*n_to = n;
	return true;
}

void ready_set_tcp(struct ready *r, const uint16_t *ports, size_t n)
{
	r->changed |= ready_put_ports(r->listening.tcp, &r->listening.n_tcp, ports, n);
	ready_set_open(r);
}

/* Clients of UDP come and go, and nothing tells them from servers, so only wanted ports count. */
void ready_set_udp(struct ready *r, const uint16_t *ports, size_t n)
{
	uint16_t found[BUILD_MAX_PORTS];
	size_t n_found = 0;

	for (size_t i = 0; i < r->wanted.n_udp; i++)
		if (ready_count(ports, n, &r->wanted.udp[i], 1))
			found[n_found++] = r->wanted.udp[i];
	r->changed |= ready_put_ports(r->listening.udp, &r->listening.n_udp, found, n_found);
	ready_set_open(r);
}

/* The youngest sample that is a second older than this one, or the oldest there is. */
static const struct ready_sample *ready_second_ago(const struct ready *r,
						   const struct ready_sample *s)
{
	size_t n = r->n < READY_RING ? r->n : READY_RING;

	for (size_t i = 1; i < n; i++) {
		const struct ready_sample *each = &r->ring[(r->n - i) % READY_RING];

		if (s->at_ms - each->at_ms >= READY_SECOND_MS)
			return each;
	}
	return &r->ring[(r->n - n) % READY_RING];
}

static uint64_t ready_rate(uint64_t from, uint64_t to, uint64_t ms)
{
	return to > from ? (to - from) * READY_SECOND_MS / ms : 0;
}

/* Of the tasks, what has ended is what began less what is there. */
static void ready_set_pace(struct ready *r, const struct ready_sample *from,
			   const struct ready_sample *to)
{
	uint64_t ms = (uint64_t)(to->at_ms - from->at_ms);

	ms = ms ? ms : 1;
	r->pace = (struct ready_pace){
		.cpu_percent = ready_rate(from->cpu_us, to->cpu_us, ms) / 10000,
		.disk_bytes = ready_rate(from->disk_bytes, to->disk_bytes, ms),
		.net_bytes = ready_rate(from->net_bytes, to->net_bytes, ms),
		.births = ready_rate(from->births, to->births, ms),
		.ends = ready_rate(from->births + to->tasks, to->births + from->tasks, ms),
		.output_bytes = ready_rate(from->output_bytes, to->output_bytes, ms),
	};
}

static bool ready_is_moving(const struct ready_pace *p)
{
	return p->disk_bytes > READY_DISK_BYTES || p->net_bytes > READY_NET_BYTES ||
	       p->births > READY_TASKS || p->ends > READY_TASKS;
}

static bool ready_memory_moved(const struct ready *r, uint64_t now)
{
	uint64_t was = r->memory_bytes;

	return now > was + READY_MEMORY_BYTES || was > now + READY_MEMORY_BYTES;
}

static void ready_set_rests(struct ready *r, const struct ready_sample *from,
			    const struct ready_sample *s)
{
	bool moving = ready_is_moving(&r->pace) || r->changed_ms > from->at_ms;
	bool writes;

	if (moving || r->pace.cpu_percent >= ready_percent[READY_CALM])
		r->worked_ms = s->at_ms;
	writes = r->pace.output_bytes && s->at_ms - r->worked_ms < READY_OUTPUT_MS;
	for (size_t i = 0; i < READY_NUM_RESTS; i++) {
		bool rests = !moving && !writes && r->pace.cpu_percent < ready_percent[i];

		if (i == READY_STEADY && rests && ready_memory_moved(r, s->memory_bytes)) {
			r->memory_bytes = s->memory_bytes;
			rests = false;
		}
		if (!rests)
			r->since_ms[i] = -1;
		else if (r->since_ms[i] < 0)
			r->since_ms[i] = from->at_ms;
	}
}

static int64_t ready_lasts(const struct ready *r, enum ready_rest rest, int64_t now_ms)
{
	int64_t slow = now_ms / READY_SLOWNESS;
	bool missing = r->open == READY_NOTHING && r->promised;
	int64_t ms = ready_lasts_ms[missing ? READY_NUM_OPEN : r->open][rest];

	slow = slow < READY_SLOWNESS_MS ? slow : READY_SLOWNESS_MS;
	return slow > ms ? slow : ms;
}

/* The rest that has lasted long enough, or READY_NUM_RESTS. */
static enum ready_rest ready_rest(const struct ready *r, int64_t now_ms)
{
	enum ready_rest rest = READY_QUIET;

	while (rest < READY_NUM_RESTS &&
	       (r->since_ms[rest] < 0 || now_ms - r->since_ms[rest] < ready_lasts(r, rest, now_ms)))
		rest++;
	return rest;
}

bool ready_sample(struct ready *r, const struct ready_sample *s)
{
	const struct ready_sample *from;

	if (r->n && s->at_ms <= r->ring[(r->n - 1) % READY_RING].at_ms)
		return false;
	r->ring[r->n++ % READY_RING] = *s;
	from = ready_second_ago(r, s);
	if (r->changed)
		r->changed_ms = s->at_ms;
	r->changed = false;
	ready_set_pace(r, from, s);
	ready_set_rests(r, from, s);
	return ready_rest(r, s->at_ms) < READY_NUM_RESTS;
}

bool ready_is_half(const struct ready *r)
{
	return r->promised && r->open < READY_SOME;
}
