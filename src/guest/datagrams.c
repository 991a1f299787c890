#include "guest/datagrams.h"

#include <errno.h>
#include <sys/socket.h>

#include "guest/loopback.h"
#include "wire/datagram.h"

#define DATAGRAMS_PIECE (64 * KIB)
#define DATAGRAMS_OUT   (256 * KIB) /* with more waiting for the host, no more is read */
#define DATAGRAMS_BATCH 32          /* read in one go; then other work has its turn */

static uint8_t datagrams_piece[DATAGRAMS_PIECE]; /* empty between events */

static void datagrams_app_ready(struct watch *w, uint32_t events);

static void datagrams_watch(struct datagrams *d)
{
	loop_rewatch(d->loop, &d->from_host, EPOLLIN | (d->out.size ? EPOLLOUT : 0U));
	if (d->from_app.active)
		loop_rewatch(d->loop, &d->from_app, d->out.size < DATAGRAMS_OUT ? EPOLLIN : 0U);
}

static void datagrams_leave_app(struct datagrams *d)
{
	loop_unwatch(d->loop, &d->from_app);
	fd_close(&d->app);
}

static bool datagrams_reach_app(struct datagrams *d)
{
	struct err e;

	if (d->app >= 0)
		return true;
	d->app = loopback_datagrams(d->port, d->six);
	if (d->app >= 0 &&
	    !loop_watch(d->loop, &d->from_app, d->app, EPOLLIN, datagrams_app_ready, &e))
		return true;
	datagrams_leave_app(d);
	return false;
}

/* The loopback answers at once that nobody waits at this address: it may be the other one. */
static bool datagrams_is_refused(const struct datagrams *d)
{
	return loopback_result(d->app) == -ECONNREFUSED;
}

static void datagrams_send(struct datagrams *d, const uint8_t *data, size_t size)
{
	for (int tries = 0; tries < 2; tries++) {
		if (datagrams_reach_app(d)) {
			(void)!send(d->app, data, size, MSG_NOSIGNAL);
			d->settled = d->settled || !datagrams_is_refused(d);
		}
		if (d->settled)
			return;
		d->six = !d->six;
		datagrams_leave_app(d);
	}
}

/* -1: these are no frames. */
static int datagrams_take(struct datagrams *d)
{
	size_t done = 0, length, used;
	const uint8_t *datagram;
	int rc;

	while ((rc = datagram_next(d->in.data + done, d->in.size - done, &datagram, &length,
				   &used)) == 1) {
		datagrams_send(d, datagram, length);
		done += used;
	}
	buf_drop(&d->in, done);
	if (!d->in.size)
		buf_free(&d->in);
	return rc;
}

static bool datagrams_flush(struct datagrams *d)
{
	ssize_t n = d->out.size ? send(d->host, d->out.data, d->out.size, MSG_NOSIGNAL) : 0;

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	if (n > 0)
		buf_drop(&d->out, (size_t)n);
	if (!d->out.size)
		buf_free(&d->out);
	datagrams_watch(d);
	return true;
}

static void datagrams_host_ready(struct watch *w, uint32_t events)
{
	struct datagrams *d = container_of(w, struct datagrams, from_host);
	ssize_t n;

	if ((events & EPOLLOUT) && !datagrams_flush(d)) {
		d->done(d);
		return;
	}
	if (!(events & ~(uint32_t)EPOLLOUT))
		return;
	n = recv(d->host, datagrams_piece, sizeof(datagrams_piece), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		buf_add(&d->in, datagrams_piece, (size_t)n);
	if (n <= 0 || datagrams_take(d) < 0)
		d->done(d);
	else
		datagrams_watch(d);
}

static void datagrams_app_ready(struct watch *w, uint32_t events)
{
	struct datagrams *d = container_of(w, struct datagrams, from_app);

	(void)events;
	for (int i = 0; i < DATAGRAMS_BATCH && d->out.size < DATAGRAMS_OUT; i++) {
		ssize_t n = recv(d->app, datagrams_piece, sizeof(datagrams_piece), 0);

		if (n < 0 && errno == ECONNREFUSED)
			d->settled = false; /* it has gone */
		if (n < 0)
			break;
		if (n <= DATAGRAM_MAX)
			datagram_put(&d->out, datagrams_piece, (size_t)n);
	}
	if (!datagrams_flush(d))
		d->done(d);
}

int datagrams_open(struct datagrams *d, struct loop *l, int host, uint16_t port,
		   const struct buf *early, void (*done)(struct datagrams *d), struct err *e)
{
	*d = (struct datagrams){ .loop = l, .host = host, .app = -1, .port = port, .done = done };
	buf_add(&d->in, early->data, early->size);
	if (loop_watch(l, &d->from_host, host, EPOLLIN, datagrams_host_ready, e))
		return -1;
	return datagrams_take(d) < 0 ? err_set(e, ERR_INVALID, "no frames of datagrams") : 0;
}

void datagrams_close(struct datagrams *d)
{
	if (!d->loop)
		return;
	datagrams_leave_app(d);
	loop_unwatch(d->loop, &d->from_host);
	fd_close(&d->host);
	buf_free(&d->in);
	buf_free(&d->out);
}
