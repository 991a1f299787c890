/* conn_send.c - what a connection sends, and how it ends its side. */

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/spare.h"
#include "net/conn.h"
#include "net/conn_parts.h"

#define CONN_HIGH  LIMIT_HTTP_BUFFER
#define CONN_LOW   (LIMIT_HTTP_BUFFER / 4)
#define CONN_LARGE (32 * KIB)
/* We read on after our FIN, because unread bytes would reset the connection and lose our last
 * bytes: until the peer is silent for so long, but not longer than LIMIT_CONN_FINISH_MS. */
#define CONN_LINGER_MS 2000

/* A connection that waits has no request to libuv. */
static struct spare conn_writes = SPARE(sizeof(uv_write_t));
static struct spare conn_shutdowns = SPARE(sizeof(uv_shutdown_t));
struct buf_stock conn_bufs = { .most = 64 * KIB, .keep = 16 };

static void conn_said_all(struct conn *c)
{
	if (c->coming != CONN_MORE) {
		conn_close(c);
		return;
	}
	conn_go(c, CONN_LINGERING);
	c->deadline_ms = conn_now(c) + LIMIT_CONN_FINISH_MS;
	conn_set_reading(c);
	conn_timeout(c, CONN_LINGER_MS);
}

static void conn_on_shutdown(uv_shutdown_t *req, int status)
{
	struct conn *c = req->data;

	spare_give(&conn_shutdowns, req);
	(void)status; /* if the socket is broken, reading finds that out */
	if (c->state == CONN_FINISHING)
		conn_said_all(c);
}

/* A peer may answer, close, and then refuse the rest of what we send.  Its answer still lies in our
 * socket, before the end or the error. */
static void conn_not_heard(struct conn *c)
{
	if (c->tls || conn_finishes(c)) {
		conn_close(c);
		return;
	}
	c->unheard = true;
	buf_give(&conn_bufs, &c->out);
	buf_give(&conn_bufs, &c->flight);
}

static void conn_on_written(uv_write_t *req, int status)
{
	struct conn *c = req->data;

	spare_give(&conn_writes, req);
	c->handed += (int64_t)c->flight.size;
	buf_give(&conn_bufs, &c->flight);
	if (c->state == CONN_CLOSING)
		return;
	if (status < 0)
		conn_not_heard(c);
	else
		c->last_ms = conn_now(c);
	conn_flush(c);
	if (c->full && c->state != CONN_CLOSING && conn_queued(c) <= CONN_LOW) {
		c->full = false;
		if (!conn_finishes(c) && c->ops->drained)
			c->ops->drained(c);
	}
}

static void conn_start_write(struct conn *c)
{
	uv_write_t *req = spare_take(&conn_writes, sizeof(*req));
	uv_buf_t buf;

	req->data = c;
	c->flight = c->out;
	c->out = (struct buf){ 0 };
	buf = uv_buf_init((char *)c->flight.data, (unsigned)c->flight.size);
	if (!uv_write(req, &c->uv.stream, &buf, 1, conn_on_written))
		return;
	spare_give(&conn_writes, req);
	conn_not_heard(c);
}

/* The kernel takes bytes in lumps for which a slow peer needs minutes.  What counts is therefore
 * what the peer took, not what the kernel did. */
void conn_look_at_peer(struct conn *c)
{
	int64_t taken = c->handed;
	uv_os_fd_t fd;
	int queued = 0;

	if (c->flight.size)
		taken += (int64_t)(c->flight.size - uv_stream_get_write_queue_size(&c->uv.stream));
	if (c->uv.handle.type == UV_TCP && !uv_fileno(&c->uv.handle, &fd) &&
	    !ioctl(fd, SIOCOUTQ, &queued))
		taken -= queued;
	if (taken > c->taken)
		pace_moved(&c->pace_out, (size_t)(taken - c->taken), conn_now(c));
	c->taken = taken > c->taken ? taken : c->taken;
}

static void conn_start_shutdown(struct conn *c)
{
	uv_shutdown_t *req = spare_take(&conn_shutdowns, sizeof(*req));

	req->data = c;
	c->going = CONN_FIN_SENT;
	if (!uv_shutdown(req, &c->uv.stream, conn_on_shutdown))
		return;
	spare_give(&conn_shutdowns, req);
	conn_close(c);
}

/* How much the kernel took; -1: the peer refuses it. */
static ssize_t conn_try(struct conn *c, const void *data, size_t size)
{
	uv_buf_t buf = { .base = (char *)(uintptr_t)data, .len = size };
	int n = uv_try_write(&c->uv.stream, &buf, 1);

	if (n == UV_EAGAIN)
		return 0;
	if (n < 0) {
		conn_not_heard(c);
		return -1;
	}
	c->last_ms = conn_now(c);
	c->handed += n;
	return n;
}

static void conn_push(struct conn *c)
{
	ssize_t n;

	if (c->state == CONN_CLOSING || c->flight.data)
		return;
	if (c->out.size) {
		n = conn_try(c, c->out.data, c->out.size);
		if (n < 0)
			return;
		buf_drop(&c->out, (size_t)n);
		if (c->out.size) {
			conn_start_write(c);
			return;
		}
		buf_give(&conn_bufs, &c->out); /* an idle connection keeps no buffer */
	}
	if (c->going == CONN_SHUT) {
		conn_start_shutdown(c);
	}
}

/* What is written while a callback of any connection runs waits until that callback returns, so
 * that a head and the body behind it are one record and one system call. */
static struct {
	unsigned depth;
	struct list waiting; /* struct conn */
} conn_batch;

void conn_batch_begin(void)
{
	if (!conn_batch.depth++)
		list_init(&conn_batch.waiting);
}

void conn_batch_end(void)
{
	struct conn *c;

	while (conn_batch.depth == 1 &&
	       (c = list_first(&conn_batch.waiting, struct conn, in_batch)))
		conn_flush(c);
	conn_batch.depth--;
}

/* False: the session is broken, and the connection closed. */
static bool conn_seal(struct conn *c)
{
	bool sealed = true;

	if (!c->plain.size)
		return true;
	buf_take(&conn_bufs, &c->out);
	sealed = conn_tls_write(c->tls, c->plain.data, c->plain.size);
	buf_give(&conn_bufs, &c->plain);
	if (!sealed)
		conn_close(c);
	return sealed;
}

/* False: it is closed. */
static bool conn_add(struct conn *c, const void *data, size_t size)
{
	if (!c->tls) {
		buf_take(&conn_bufs, &c->out);
		buf_add(&c->out, data, size);
		return true;
	}
	if (conn_batch.depth && c->plain.size + size <= CONN_RECORD) {
		buf_take(&conn_bufs, &c->plain);
		buf_add(&c->plain, data, size);
		return true;
	}
	if (!conn_seal(c))
		return false;
	if (!conn_tls_write(c->tls, data, size)) {
		conn_close(c);
		return false;
	}
	return true;
}

void conn_flush(struct conn *c)
{
	bool lags;

	list_del(&c->in_batch);
	if (!conn_seal(c))
		return;
	conn_push(c);
	lags = conn_queued(c) > 0;
	if (c->state == CONN_CLOSING || lags == c->pace_out.turn)
		return;
	pace_turn(&c->pace_out, lags, conn_now(c));
	conn_arm(c);
}

/* What is so large gains nothing by waiting for more, and is not copied for the time being.
 * Returns how much of it is left. */
static size_t conn_write_large(struct conn *c, const void *data, size_t size)
{
	ssize_t n;

	if (c->tls || size < CONN_LARGE || c->out.size || c->flight.data)
		return size;
	n = conn_try(c, data, size);
	return n < 0 ? 0 : size - (size_t)n;
}

void conn_write(struct conn *c, const void *data, size_t size)
{
	size_t left;

	if (c->state == CONN_CLOSING || c->going != CONN_SENDS || c->unheard || !size)
		return;
	assert(!c->tls || c->state != CONN_NEW);
	left = conn_write_large(c, data, size);
	if (!left || !conn_add(c, (const uint8_t *)data + (size - left), left))
		return;
	if (!conn_batch.depth || conn_full(c)) {
		conn_flush(c);
	} else {
		list_del(&c->in_batch);
		list_add(&conn_batch.waiting, &c->in_batch);
	}
	c->full = conn_full(c) || c->full;
}

size_t conn_queued(const struct conn *c)
{
	return c->plain.size + c->out.size + c->flight.size;
}

size_t conn_kept(const struct conn *c)
{
	return c->kept.size;
}

bool conn_full(const struct conn *c)
{
	return conn_queued(c) >= CONN_HIGH;
}

void conn_unsent(struct conn *c, int bytes)
{
	int fd;

	if (!uv_fileno(&c->uv.handle, &fd))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

void conn_shutdown(struct conn *c)
{
	if (c->state == CONN_CLOSING || c->going != CONN_SENDS)
		return;
	if (!conn_seal(c))
		return;
	if (c->tls)
		conn_tls_notify(c->tls);
	c->going = CONN_SHUT;
	conn_flush(c);
}

void conn_close_after_write(struct conn *c)
{
	bool already;

	if (c->state == CONN_NEW)
		conn_close(c); /* nothing was written */
	if (c->state != CONN_OPEN)
		return;
	conn_go(c, CONN_FINISHING);
	already = c->going == CONN_FIN_SENT;
	if (!c->timeout_ms || c->timeout_ms > LIMIT_CONN_FINISH_MS)
		conn_timeout(c, LIMIT_CONN_FINISH_MS);
	conn_shutdown(c);
	conn_set_reading(c);
	if (already)
		conn_said_all(c);
}
