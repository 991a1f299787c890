#include "net/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn_parts.h"

#define CONN_IN (64 * KIB)

/* All connections share these buffers: there is one loop, and each callback is done with them
 * before the next one runs. */
static uint8_t conn_in[CONN_IN], conn_plain[CONN_RECORD];

static const uint8_t conn_may_go[CONN_NUM_STATES] = {
	[CONN_NEW] = 1U << CONN_OPEN | 1U << CONN_CLOSING,
	[CONN_OPEN] = 1U << CONN_FINISHING | 1U << CONN_CLOSING,
	[CONN_FINISHING] = 1U << CONN_LINGERING | 1U << CONN_CLOSING,
	[CONN_LINGERING] = 1U << CONN_CLOSING,
};

void conn_go(struct conn *c, enum conn_state to)
{
	assert(conn_may_go[c->state] & 1U << to);
	c->state = to;
}

static void conn_on_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;

	if (--c->handles)
		return;
	conn_tls_free(c->tls);
	buf_give(&conn_bufs, &c->plain);
	buf_give(&conn_bufs, &c->out);
	buf_give(&conn_bufs, &c->flight);
	buf_free(&c->kept);
	c->tls = NULL;
	c->ops->closed(c);
	if (c->source)
		quota_leave(c->source);
	free(c);
}

void conn_close(struct conn *c)
{
	if (c->state == CONN_CLOSING)
		return;
	if (!list_empty(&c->in_batch)) {
		conn_flush(c); /* only a peer that does not read loses bytes */
		if (c->state == CONN_CLOSING)
			return;
	}
	conn_go(c, CONN_CLOSING);
	c->handles = 2;
	uv_close(&c->uv.handle, conn_on_closed);
	uv_close((uv_handle_t *)&c->timer, conn_on_closed);
}

/* Hand bytes to the owner and return how many it took. */
static size_t conn_give(struct conn *c, const uint8_t *data, size_t size)
{
	size_t taken = size;

	if (!conn_finishes(c))
		taken = c->ops->data(c, data, size);
	assert(taken <= size);
	/* If the callback called conn_resume, it already asked for the rest. */
	if (taken < size && c->reading == CONN_READS)
		c->reading = CONN_PAUSED;
	return taken;
}

static void conn_give_kept(struct conn *c)
{
	size_t taken = conn_give(c, c->kept.data, c->kept.size);

	buf_drop(&c->kept, taken);
	if (!c->kept.size)
		buf_free(&c->kept);
}

static void conn_give_new(struct conn *c, const uint8_t *data, size_t size)
{
	size_t taken = conn_give(c, data, size);

	if (c->state != CONN_CLOSING)
		buf_add(&c->kept, data + taken, size - taken);
}

static void conn_ends(struct conn *c)
{
	if (c->coming == CONN_MORE)
		c->coming = CONN_EOF;
}

static bool conn_may_give(const struct conn *c)
{
	return c->state != CONN_CLOSING && c->reading == CONN_READS;
}

static void conn_open(struct conn *c)
{
	conn_go(c, CONN_OPEN);
	c->deadline_ms = 0;
	conn_arm(c);
	if (c->ops->open)
		c->ops->open(c);
}

/* False: what has arrived yields nothing more. */
static bool conn_pump_tls(struct conn *c)
{
	size_t size = 0;

	switch (conn_tls_read(c->tls, conn_plain, sizeof(conn_plain), &size)) {
	case CONN_TLS_WANT:
		break;
	case CONN_TLS_OPENED:
		conn_flush(c);
		if (c->state == CONN_NEW) /* else the client is gone already */
			conn_open(c);
		return true;
	case CONN_TLS_DATA:
		conn_give_new(c, conn_plain, size);
		return true;
	case CONN_TLS_END:
		conn_ends(c);
		break;
	case CONN_TLS_BROKEN:
		conn_flush(c); /* the alert */
		conn_close(c);
		break;
	}
	return false;
}

static void conn_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	(void)handle, (void)size;
	*buf = uv_buf_init((char *)conn_in, sizeof(conn_in));
}

/* TLS that ends without close_notify is no end for a server: somebody may have cut the rest off. */
static bool conn_ends_plainly(const struct conn *c)
{
	return !c->tls || conn_tls_is_client(c->tls);
}

/* Some clients ask for TLS in plain text first. */
static void conn_feed_tls(struct conn *c, const uint8_t *data, size_t size)
{
	size_t plain = 0;

	if (c->state == CONN_NEW && c->ops->before_tls)
		plain = c->ops->before_tls(c, data, size);
	if (plain < size)
		conn_tls_feed(c->tls, data + plain, size - plain);
}

static void conn_took(struct conn *c, const uint8_t *data, ssize_t size)
{
	if (size == UV_EOF && (conn_ends_plainly(c) || conn_finishes(c))) {
		conn_ends(c);
	} else if (size < 0) {
		conn_close(c);
		return;
	} else {
		c->last_ms = conn_now(c);
		pace_moved(&c->pace_in, (size_t)size, c->last_ms);
		if (conn_finishes(c))
			return;
		if (!c->tls)
			conn_give_new(c, data, (size_t)size);
		else
			conn_feed_tls(c, data, (size_t)size);
	}
	conn_pump(c);
	if (c->tls)
		conn_tls_kept(c->tls);
}

static void conn_on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
	if (!size)
		return;
	conn_batch_begin();
	conn_took(stream->data, (const uint8_t *)buf->base, size);
	conn_batch_end();
}

void conn_set_reading(struct conn *c)
{
	bool handshake = c->tls && c->state == CONN_NEW;

	if (c->state == CONN_CLOSING)
		return;
	if (c->coming == CONN_MORE && (conn_finishes(c) || handshake || c->reading == CONN_READS))
		uv_read_start(&c->uv.stream, conn_alloc, conn_on_read);
	else
		uv_read_stop(&c->uv.stream);
}

void conn_pump(struct conn *c)
{
	if (!c->tls && c->state == CONN_NEW)
		conn_open(c);
	while (conn_may_give(c) || (c->tls && c->state == CONN_NEW)) {
		if (c->kept.size)
			conn_give_kept(c);
		else if (!c->tls || c->coming != CONN_MORE || !conn_pump_tls(c))
			break;
	}
	if (conn_may_give(c) && c->coming == CONN_EOF) {
		c->coming = CONN_END_TOLD;
		if (!conn_finishes(c))
			c->ops->end(c);
		if (conn_finishes(c) ? c->state == CONN_LINGERING : c->unheard)
			conn_close(c);
	}
	conn_flush(c);
	conn_set_reading(c);
}

void conn_pause(struct conn *c)
{
	c->reading = CONN_PAUSED;
	conn_set_reading(c);
}

void conn_resume(struct conn *c)
{
	if (c->state == CONN_CLOSING)
		return;
	c->reading = CONN_RESUMES;
	conn_arm(c);
}

bool conn_waits(const struct conn *c)
{
	return c->reading != CONN_READS || c->kept.size;
}

bool conn_is_quiet(const struct conn *c)
{
	uv_os_fd_t fd;
	char byte;

	return c->coming == CONN_MORE && !uv_fileno(&c->uv.handle, &fd) &&
	       recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

int conn_duplicate(const struct conn *c)
{
	uv_os_fd_t fd;

	assert(!c->tls && !conn_queued(c) && !c->kept.size);
	return uv_fileno(&c->uv.handle, &fd) ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

void conn_count(struct conn *c, struct quota_source *s)
{
	c->source = s;
	quota_enter(s);
}

/* Without probes, a peer that vanished silently would seem to be there for ever. */
static void conn_tcp_options(int fd)
{
	const int options[][3] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, LIMIT_KEEPALIVE_IDLE_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, LIMIT_KEEPALIVE_INTERVAL_S },
		{ IPPROTO_TCP, TCP_KEEPCNT, LIMIT_KEEPALIVE_PROBES },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		setsockopt(fd, options[i][0], options[i][1], &options[i][2], sizeof(int));
}

static int conn_adopt(struct conn *c, uv_loop_t *loop, int fd)
{
	int domain = 0, rc;
	socklen_t size = sizeof(domain);

	signal(SIGPIPE, SIG_IGN); /* because libuv writes without MSG_NOSIGNAL */

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size))
		return UV_EINVAL;
	if (domain == AF_UNIX) {
		uv_pipe_init(loop, &c->uv.pipe, 0);
		rc = uv_pipe_open(&c->uv.pipe, fd);
	} else {
		conn_tcp_options(fd);
		uv_tcp_init(loop, &c->uv.tcp);
		rc = uv_tcp_open(&c->uv.tcp, fd);
	}
	c->uv.handle.data = c;
	return rc;
}

static void conn_on_dropped(uv_handle_t *handle)
{
	free(handle->data);
}

struct conn *conn_new(uv_loop_t *loop, int fd, struct tls *tls, const struct conn_ops *ops,
		      void *owner, struct err *e)
{
	struct conn *c = xcalloc(1, sizeof(*c));
	int rc = conn_adopt(c, loop, fd);

	if (rc) {
		err_set(e, ERR_INTERNAL, "take over a connection: %s", uv_strerror(rc));
		close(fd);
		if (c->uv.handle.data)
			uv_close(&c->uv.handle, conn_on_dropped);
		else
			free(c);
		return NULL;
	}
	list_init(&c->in_batch);
	c->ops = ops;
	c->owner = owner;
	c->timer.data = c;
	uv_timer_init(loop, &c->timer);
	c->armed_ms = INT64_MAX;
	c->last_ms = conn_now(c);
	if (tls) {
		c->tls = conn_tls_new(tls, &c->out);
		c->deadline_ms = c->last_ms + LIMIT_TLS_MS;
		conn_set_reading(c);
	}
	/* `open`, or a client's first flight, comes from the loop. */
	if (!tls || conn_tls_is_client(c->tls))
		c->reading = CONN_RESUMES;
	conn_arm(c);
	return c;
}

bool conn_is_closing(const struct conn *c)
{
	return c->state == CONN_CLOSING;
}

void *conn_owner(const struct conn *c)
{
	return c->owner;
}

void conn_set_owner(struct conn *c, const struct conn_ops *ops, void *owner)
{
	c->ops = ops;
	c->owner = owner;
}

const char *conn_sni(const struct conn *c)
{
	return c->tls ? conn_tls_sni(c->tls) : "";
}

bool conn_peer(const struct conn *c, struct sockaddr_storage *to)
{
	socklen_t size = sizeof(*to);
	uv_os_fd_t fd;

	return !uv_fileno(&c->uv.handle, &fd) && !getpeername(fd, (struct sockaddr *)to, &size);
}

const char *conn_alpn(const struct conn *c)
{
	return c->tls ? conn_tls_alpn(c->tls) : "";
}
