/* Connects to the ports of the application in the build's microVM and sends nothing, so that the
 * pages and tables that a connection needs are there afterwards. */

#include "image/build.h"

#define BUILD_PROBE_MS 5000

static void build_probe_next(struct build *b);

static void build_probe_done(void *arg, unsigned status)
{
	struct build *b = arg;

	(void)status; /* nothing was asked, so there is no status */
	b->port_probe.under_way = NULL;
	build_probe_next(b);
}

static void build_probe_next(struct build *b)
{
	autofree char *stream = vm_stream(&b->vm);
	size_t n = b->port_probe.begun++;

	if (n >= b->done.n_listening * b->port_probe.times) {
		b->port_probe.then(b);
		return;
	}
	b->port_probe.under_way = port_probe_start(
		b->role->loop,
		&(struct port_probe_what){ .stream = stream,
					   .port = b->done.listening[n / b->port_probe.times],
					   .most_ms = BUILD_PROBE_MS,
					   .done = build_probe_done,
					   .arg = b });
}

void build_port_probe(struct build *b, unsigned times, void (*then)(struct build *b))
{
	b->port_probe.begun = 0;
	b->port_probe.times = times;
	b->port_probe.then = then;
	build_probe_next(b);
}

void build_port_probe_cancel(struct build *b)
{
	if (b->port_probe.under_way)
		port_probe_cancel(b->port_probe.under_way);
	b->port_probe.under_way = NULL;
}
