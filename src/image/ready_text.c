/* What the build log says of a judgement: parts of sentences. */

#include "image/ready.h"

#define STEADY_MS 30000 /* Before that it may be any work. */

/* "80", "80 and 443", "80, 443 and 53/udp" */
static void ready_say_list(const struct ready_ports *p, struct buf *to)
{
	size_t n = p->n_tcp + p->n_udp;

	buf_adds(to, n == 1 ? "port " : "ports ");
	for (size_t i = 0; i < n; i++) {
		bool udp = i >= p->n_tcp;

		if (i)
			buf_adds(to, i + 1 == n ? " and " : ", ");
		buf_addf(to, "%u%s", udp ? p->udp[i - p->n_tcp] : p->tcp[i], udp ? "/udp" : "");
	}
}

static void ready_say_listens(const struct ready_ports *p, const char *word, struct buf *to)
{
	ready_say_list(p, to);
	buf_addf(to, " listen%s%s", p->n_tcp + p->n_udp == 1 ? "s" : "", word);
}

void ready_say_wanted(const struct ready *r, struct buf *to)
{
	ready_say_listens(&r->wanted, "", to);
}

static bool ready_has(const uint16_t *ports, size_t n, uint16_t port)
{
	for (size_t i = 0; i < n; i++)
		if (ports[i] == port)
			return true;
	return false;
}

/* Those of @from that are in @in, or that are not. */
static void ready_pick(const uint16_t *from, size_t n, const uint16_t *in, size_t n_in, bool wanted,
		       uint16_t *to, size_t *n_to)
{
	for (size_t i = 0; i < n; i++)
		if (ready_has(in, n_in, from[i]) == wanted)
			to[(*n_to)++] = from[i];
}

void ready_say_open(const struct ready *r, struct buf *to)
{
	const struct ready_ports *w = &r->wanted, *l = &r->listening;
	struct ready_ports missing = { .n_tcp = 0 }, others = { .n_tcp = 0 };

	ready_pick(w->tcp, w->n_tcp, l->tcp, l->n_tcp, false, missing.tcp, &missing.n_tcp);
	ready_pick(w->udp, w->n_udp, l->udp, l->n_udp, false, missing.udp, &missing.n_udp);
	ready_pick(l->tcp, l->n_tcp, w->tcp, w->n_tcp, false, others.tcp, &others.n_tcp);
	if (r->open == READY_ALL) {
		ready_say_wanted(r, to);
		return;
	}
	buf_adds(to, "nothing listens on ");
	ready_say_list(&missing, to);
	if (r->open == READY_SOME)
		buf_adds(to, ", but the other EXPOSEd ones listen");
	else if (others.n_tcp) {
		buf_adds(to, "; ");
		ready_say_listens(&others, " instead", to);
	}
}

void ready_say_pace(const struct ready *r, struct buf *to)
{
	const struct ready_pace *p = &r->pace;

	buf_addf(to, "it uses %llu %% of a core", (unsigned long long)p->cpu_percent);
	if (p->disk_bytes >= KIB)
		buf_addf(to, ", reads or writes %llu KiB of disk a second",
			 (unsigned long long)(p->disk_bytes / KIB));
	if (p->net_bytes >= KIB)
		buf_addf(to, ", moves %llu KiB over the network a second",
			 (unsigned long long)(p->net_bytes / KIB));
	if (p->births)
		buf_addf(to, ", begins %llu processes or threads a second",
			 (unsigned long long)p->births);
	if (p->output_bytes)
		buf_adds(to, ", writes output");
}

void ready_say_rest(const struct ready *r, struct buf *to)
{
	static const char *const degrees[READY_NUM_RESTS] = {
		[READY_QUIET] = "has been quiet",
		[READY_CALM] = "has taken less than half of a core",
		[READY_STEADY] = "has done nothing but compute",
	};
	int64_t now = r->n ? r->ring[(r->n - 1) % READY_RING].at_ms : 0;

	for (size_t i = 0; i < READY_NUM_RESTS; i++)
		if ((i < READY_STEADY || now - r->since_ms[i] >= STEADY_MS) &&
		    r->since_ms[i] >= 0) {
			buf_addf(to, "the application %s for %.1f seconds", degrees[i],
				 (double)(now - r->since_ms[i]) / 1000);
			return;
		}
	buf_adds(to, "the application works: ");
	ready_say_pace(r, to);
}
