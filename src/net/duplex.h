/* duplex.h - one end of an upgraded connection: bytes both ways, with backpressure, whether a
 * connection of its own carries them or an HTTP/2 stream.
 *
 * Its functions and callbacks mean what those of conn.h mean; `closed` is the last callback. */
#ifndef NET_DUPLEX_H
#define NET_DUPLEX_H

#include "net/conn.h"

struct duplex;

struct duplex_ops {
	size_t (*data)(struct duplex *d, const uint8_t *data, size_t size);
	void (*end)(struct duplex *d);
	void (*drained)(struct duplex *d);
	void (*received)(struct duplex *d); /* of duplex_await_receipt; may be NULL */
	void (*closed)(struct duplex *d);
};

struct duplex_kind {
	void (*write)(struct duplex *d, const void *data, size_t size);
	bool (*full)(struct duplex *d);
	void (*pause)(struct duplex *d);
	void (*resume)(struct duplex *d);
	void (*shutdown)(struct duplex *d);
	void (*close)(struct duplex *d);
	void (*close_after_write)(struct duplex *d);
	void (*timeout)(struct duplex *d, int64_t ms);
	/* NULL: nothing bounds it.  An HTTP/2 stream shares its connection's buffers with others.
	 */
	void (*unsent)(struct duplex *d, int bytes);
	/* NULL: the peer says nothing of what it got. */
	void (*await_receipt)(struct duplex *d);
};

struct duplex {
	const struct duplex_kind *kind;
	const struct duplex_ops *ops;
	void *owner; /* borrowed */
};

/* An end that is a connection.  The connection must be given to it, with duplex_conn_ops and with
 * duplex_conn as its owner, and then be told to it by duplex_conn_is. */
extern const struct conn_ops duplex_conn_ops;
struct duplex *duplex_conn_new(const struct duplex_ops *ops, void *owner);
void duplex_conn_is(struct duplex *d, struct conn *c);

static inline void duplex_write(struct duplex *d, const void *data, size_t size)
{
	d->kind->write(d, data, size);
}

static inline bool duplex_full(struct duplex *d)
{
	return d->kind->full(d);
}

static inline void duplex_pause(struct duplex *d)
{
	d->kind->pause(d);
}

static inline void duplex_resume(struct duplex *d)
{
	d->kind->resume(d);
}

static inline void duplex_shutdown(struct duplex *d)
{
	d->kind->shutdown(d);
}

static inline void duplex_close(struct duplex *d)
{
	d->kind->close(d);
}

static inline void duplex_close_after_write(struct duplex *d)
{
	d->kind->close_after_write(d);
}

static inline void duplex_timeout(struct duplex *d, int64_t ms)
{
	d->kind->timeout(d, ms);
}

/* Call `received` once the peer has got what was written until now; one at a time.  False: it does
 * not say so, and what may be unsent is all that bounds what it has not got. */
static inline bool duplex_await_receipt(struct duplex *d)
{
	if (d->kind->await_receipt)
		d->kind->await_receipt(d);
	return d->kind->await_receipt;
}

static inline void duplex_unsent(struct duplex *d, int bytes)
{
	if (d->kind->unsent)
		d->kind->unsent(d, bytes);
}

#endif
