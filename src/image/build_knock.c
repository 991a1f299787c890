/* Connects to the ports of the application in the build's microVM and sends nothing, so that the
 * pages and tables that a connection needs are there afterwards. */

#include "image/build.h"

#define KNOCK_MS 5000

static void knock_next(struct build *b);

static void knock_done(void *arg, unsigned status)
{
	struct build *b = arg;

	(void)status; /* nothing was asked, so there is no status */
	b->knock.under_way = NULL;
	knock_next(b);
}

static void knock_next(struct build *b)
{
	autofree char *stream = vm_stream(&b->vm);
	size_t n = b->knock.begun++;

	if (n >= b->done.n_listening * b->knock.times) {
		b->knock.then(b);
		return;
	}
	b->knock.under_way = knock_start(
		b->role->loop, &(struct knock){ .stream = stream,
						.port = b->done.listening[n / b->knock.times],
						.most_ms = KNOCK_MS,
						.done = knock_done,
						.arg = b });
}

void build_knock(struct build *b, unsigned times, void (*then)(struct build *b))
{
	b->knock.begun = 0;
	b->knock.times = times;
	b->knock.then = then;
	knock_next(b);
}

void build_knock_cancel(struct build *b)
{
	if (b->knock.under_way)
		knock_cancel(b->knock.under_way);
	b->knock.under_way = NULL;
}
