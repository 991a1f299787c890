#include "net/http_h2.h"

#include <stdlib.h>

#include "base/log.h"

struct buf h2_out;

static void h2_free(struct h2 *h)
{
	list_del(&h->wait.in);
	list_del(&h->later.in);
	nghttp2_session_del(h->session);
	http2_strings_free(&h->strings);
	h->server->windows -= h->window.size - H2_WINDOW_FIRST;
	http_link_del(h->server, &h->link);
	free(h);
}

void h2_cut(struct h2 *h)
{
	h->closing = true;
	conn_close(h->c);
}

void h2_calm(struct h2 *h, const char *why)
{
	log_debug("an HTTP/2 client is sent away why=\"%s\"", why);
	nghttp2_session_terminate_session(h->session, NGHTTP2_ENHANCE_YOUR_CALM);
	h2_pump_later(h);
}

void h2_pump_later(struct h2 *h)
{
	http_call_later(h->server, &h->later);
}

/* Time counts while it is the client's turn. */
static void h2_set_timeout(struct h2 *h)
{
	conn_await(h->c, h->n_awaited > 0);
	conn_owe(h->c, h->pending > 0, h->let_through);
	h->let_through = 0;
}

static void h2_pump(struct h2 *h)
{
	const uint8_t *data;
	ssize_t n = 1;

	while (!h->closing && n > 0 && !conn_full(h->c)) {
		do {
			n = nghttp2_session_mem_send(h->session, &data);
			if (n > 0)
				buf_add(&h2_out, data, (size_t)n);
		} while (n > 0 && h2_out.size < H2_PIECE);
		n = h2_out.size >= H2_PIECE ? 1 : n; /* h2_put_answer stopped it */
		conn_write(h->c, h2_out.data, h2_out.size);
		buf_clear(&h2_out);
	}
	if (n < 0)
		h2_cut(h);
	if (h->closing)
		return;
	if (!nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session)) {
		h->closing = true;
		conn_close_after_write(h->c);
	}
	h2_set_timeout(h);
}

static void h2_later(struct http_later *l)
{
	struct h2 *h = container_of(l, struct h2, later);

	h2_submit_heads(h);
	h2_pump(h);
}

static void h2_late(struct http_wait *w)
{
	struct h2 *h = container_of(w, struct h2, wait);

	if (h->in_block && !h->closing)
		h2_calm(h, "its header fields took too long");
}

/* A negative number: what was wrong. */
static ssize_t h2_read(struct h2 *h, const uint8_t *data, size_t size)
{
	ssize_t n = 0;

	while (size && n >= 0) {
		const uint8_t *out;
		size_t out_size,
			taken = http2_strings_take(&h->strings, data, size, &out, &out_size);

		data += taken;
		size -= taken;
		if (out_size)
			n = nghttp2_session_mem_recv(h->session, out, out_size);
		if (h->strings.gathers)
			h2_block(h, true);
	}
	return n;
}

static size_t h2_data(struct conn *c, const uint8_t *data, size_t size)
{
	struct h2 *h = conn_owner(c);
	ssize_t n;

	if (h->closing)
		return size;
	h->block += size;
	if (h->in_block && h->block > LIMIT_HTTP2_BLOCK)
		h2_calm(h, "a block of header fields does not end");
	n = h2_read(h, data, size);
	if (n < 0 && n != NGHTTP2_ERR_BAD_CLIENT_MAGIC)
		log_debug("an HTTP/2 connection ends why=\"%s\"", nghttp2_strerror((int)n));
	if (n < 0)
		nghttp2_session_terminate_session(h->session, NGHTTP2_PROTOCOL_ERROR);
	h2_pump(h);
	if (n < 0 && !h->closing) {
		h->closing = true;
		conn_close_after_write(h->c);
	}
	/* Who does not read what we answer may not ask for more. */
	if (!h->closing && conn_full(c))
		conn_pause(c);
	return size;
}

static void h2_drained(struct conn *c)
{
	struct h2 *h = conn_owner(c);

	if (h->closing)
		return;
	conn_resume(c);
	h2_pump(h);
}

/* Over TLS a client that ends its side is gone. */
static void h2_end(struct conn *c)
{
	h2_cut(conn_owner(c));
}

static void h2_closed(struct conn *c)
{
	struct h2 *h = conn_owner(c);

	h->closing = true;
	list_each(s, &h->streams, struct h2_stream, in_h2)
	{
		h2_stream_closed(s);
	}
	h2_free(h);
}

/* The server ends, or needs the room: the client hears that nothing was lost. */
static void h2_close(struct http_link *l)
{
	struct h2 *h = container_of(l, struct h2, link);

	if (!h->closing) {
		nghttp2_session_terminate_session(h->session, NGHTTP2_NO_ERROR);
		h2_pump(h);
	}
	h2_cut(h);
}

static const struct conn_ops h2_conn_ops = {
	.data = h2_data,
	.end = h2_end,
	.drained = h2_drained,
	.closed = h2_closed,
};

/* The client begins nothing more on this connection; what it has begun is answered. */
static void h2_drain(struct http_link *l)
{
	struct h2 *h = container_of(l, struct h2, link);

	if (conn_is_closing(h->c))
		return;
	(void)!nghttp2_submit_shutdown_notice(h->session);
	h2_pump(h);
}

void http_h2_take(struct http_server *s, struct conn *c, struct quota_source *source)
{
	struct h2 *h = xcalloc(1, sizeof(*h));

	h->server = s;
	h->c = c;
	h->source = source;
	h->wait.late = h2_late;
	h->later.call = h2_later;
	h->window.size = H2_WINDOW_FIRST;
	http_link_init(&h->link, h2_close);
	h->link.drain = h2_drain;
	list_init(&h->wait.in);
	list_init(&h->later.in);
	list_init(&h->streams);
	list_init(&h->heads);
	h2_floods_init(&h->floods, (int64_t)uv_now(s->loop));
	http2_strings_init(&h->strings, HTTP2_PREFACE);
	h->session = h2_session_new(h);
	conn_set_owner(c, &h2_conn_ops, h);
	conn_pace_in(c, s->limits.body_timeout_ms,
		     s->handler->passes_bodies_on ? 0 : s->limits.min_rate);
	conn_timeout(c, s->limits.idle_timeout_ms);
	http_link_add(s, &h->link);
	http_link_waits(s, &h->link, source);
	h2_pump(h);
	if (s->draining)
		h2_drain(&h->link);
}
