/* http_h1.c - exchanges over HTTP/1.1 connections, one at a time on each.
 *
 * States: IDLE (between requests; no parser, no buffers), HEAD (one is being collected), ACTIVE
 * (the handler has the exchange), DRAIN (answered, the rest of the request's body is thrown away),
 * LAST (closing or taken away: nothing is parsed).  Handlers are never told of the next request,
 * nor of `done`, from inside a call of theirs: that comes by http_call_later. */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/http_carrier.h"

#define H1_DRAIN (256 * KIB) /* of an unread body, to keep the connection */

enum h1_state { H1_IDLE, H1_HEAD, H1_ACTIVE, H1_DRAINING, H1_LAST };

struct h1 {
	struct http_exchange x;
	struct http_link link;
	struct http_wait wait;
	struct http_later later;
	enum h1_state state;
	struct conn *c;       /* NULL: taken */
	struct http1 *parser; /* NULL: idle */
	struct buf rest;      /* decoded body that the handler did not take */
	struct buf corked;
	int64_t left;   /* of a body with a length that is being sent */
	int64_t unread; /* bytes of the request's body that may still be thrown away */
	int64_t timeout_ms;
	bool tls, own_answer;                    /* own_answer: the handler knows nothing of it */
	bool request_done, stopped, continued;   /* the request */
	bool head_sent, ended, chunked, no_body; /* the answer */
	bool close, cork, full, cut, eof;
};

static const struct http_head h1_no_head = { .request = true, .target = "", .host = "" };
static const struct conn_ops h1_conn_ops;
static size_t h1_data(struct conn *c, const uint8_t *data, size_t size);

static struct h1 *h1_of(struct http_exchange *x)
{
	return container_of(x, struct h1, x);
}

/* Silence is counted where it is the client's turn. */
static void h1_set_timeout(struct h1 *h)
{
	int64_t ms = LIMIT_HTTP_IDLE_MS;

	if (!h->c || h->state == H1_LAST)
		return;
	if (h->state == H1_ACTIVE && !conn_queued(h->c) && (h->request_done || h->stopped))
		ms = 0;
	if (ms != h->timeout_ms || h->state == H1_IDLE)
		conn_timeout(h->c, ms);
	h->timeout_ms = ms;
}

static void h1_write(struct h1 *h, const void *data, size_t size)
{
	if (h->cork)
		buf_add(&h->corked, data, size);
	else if (h->c)
		conn_write(h->c, data, size);
}

static void h1_cork(struct http_exchange *x, bool on)
{
	struct h1 *h = h1_of(x);

	h->cork = on;
	if (on)
		return;
	h1_write(h, h->corked.data, h->corked.size);
	buf_free(&h->corked);
	h1_set_timeout(h);
}

static bool h1_has_body(const struct http_head *head)
{
	return head->chunked || head->length > 0;
}

static void h1_send_continue(struct http_exchange *x)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct h1 *h = h1_of(x);

	if (!x->head->expect_continue || h->continued || h->head_sent)
		return;
	h->continued = true;
	h1_write(h, text, sizeof(text) - 1);
}

static void h1_read_stop(struct http_exchange *x)
{
	struct h1 *h = h1_of(x);

	h->stopped = true;
	h1_set_timeout(h);
}

static void h1_read_more(struct http_exchange *x)
{
	struct h1 *h = h1_of(x);

	if (!h->stopped)
		return;
	h1_send_continue(x);
	if (h->c)
		conn_resume(h->c);
}

/* Can the connection carry another request after this answer? */
static bool h1_may_keep(const struct h1 *h)
{
	const struct http_head *head = h->x.head;

	if (h->close || !head->keep_alive)
		return false;
	if (h->request_done || !h1_has_body(head))
		return true;
	/* A client that waits for 100 may send its body after another answer, or not. */
	if (head->expect_continue && !h->continued)
		return false;
	return !head->chunked && head->length <= (int64_t)H1_DRAIN;
}

static void h1_put_date(struct buf *b)
{
	static time_t last;
	static char text[40];
	time_t now = time(NULL);
	struct tm tm;

	if (now != last) {
		last = now;
		gmtime_r(&now, &tm);
		strftime(text, sizeof(text), "date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
	}
	buf_adds(b, text);
}

static void h1_put_headers(struct buf *b, const struct http_header *headers, size_t n)
{
	bool dated = false;

	for (size_t i = 0; i < n; i++) {
		/* One that cannot be written is left out: it would end the head. */
		if (http1_put_header(b, headers[i].name, headers[i].value))
			dated = dated || !strcmp(headers[i].name, "date");
	}
	if (!dated)
		h1_put_date(b);
}

static void h1_put_framing(struct h1 *h, struct buf *b, unsigned status, int64_t length)
{
	h->no_body = !strcmp(h->x.head->method, "HEAD") || status == 204 || status == 304;
	h->close = !h1_may_keep(h);
	h->left = length;
	if (length >= 0 && status != 204) {
		buf_addf(b, "content-length: %lld\r\n", (long long)length);
	} else if (h->x.head->minor && status != 204 && status != 304) {
		h->chunked = true;
		buf_adds(b, "transfer-encoding: chunked\r\n");
	} else if (!h->no_body) {
		h->close = true;
	}
	if (h->close)
		buf_adds(b, "connection: close\r\n");
	else if (!h->x.head->minor)
		buf_adds(b, "connection: keep-alive\r\n");
}

static void h1_send_head(struct http_exchange *x, unsigned status,
			 const struct http_header *headers, size_t n, int64_t length)
{
	struct h1 *h = h1_of(x);
	autobuf struct buf b = { 0 };
	bool interim = status / 100 == 1 && status != 101;

	assert(!h->head_sent);
	if (interim && !x->head->minor)
		return;
	http1_put_status(&b, status);
	h1_put_headers(&b, headers, n);
	h->head_sent = !interim;
	if (status == 101)
		buf_adds(&b, "connection: upgrade\r\n");
	else if (!interim)
		h1_put_framing(h, &b, status, length);
	http1_put_end(&b);
	h1_write(h, b.data, b.size);
	h1_set_timeout(h);
}

static bool h1_send_body(struct http_exchange *x, const void *data, size_t size)
{
	struct h1 *h = h1_of(x);

	assert(h->head_sent && !h->ended);
	if (!size || h->no_body || !h->c)
		return true;
	if (h->chunked) {
		autobuf struct buf b = { 0 };

		http1_put_chunk(&b, data, size);
		h1_write(h, b.data, b.size);
	} else {
		assert(h->left < 0 || (int64_t)size <= h->left);
		h->left -= h->left < 0 ? 0 : (int64_t)size;
		h1_write(h, data, size);
	}
	h->full = conn_full(h->c);
	h1_set_timeout(h);
	return !h->full;
}

static void h1_cut(struct h1 *h)
{
	h->cut = true;
	if (h->c)
		conn_close(h->c);
}

static void h1_abort(struct http_exchange *x)
{
	h1_cut(h1_of(x));
}

static void h1_send_end(struct http_exchange *x)
{
	struct h1 *h = h1_of(x);

	assert(h->head_sent && !h->ended);
	h->ended = true;
	if (!h->no_body && h->chunked)
		h1_write(h, "0\r\n\r\n", 5);
	if (!h->no_body && h->left > 0) {
		h1_abort(x); /* less than was promised: only the cut says so */
		return;
	}
	http_call_later(x->server, &h->later);
}

static const char *h1_sni(const struct http_exchange *x)
{
	const struct h1 *h = (const struct h1 *)(const void *)x; /* its first member */

	static_assert(offsetof(struct h1, x) == 0, "x is not first");
	return h->c ? conn_sni(h->c) : "";
}

static struct conn *h1_take_conn(struct http_exchange *x, const struct conn_ops *ops, void *owner)
{
	struct h1 *h = h1_of(x);
	struct conn *c = h->c;

	assert(h->head_sent && h->state == H1_ACTIVE);
	h->state = H1_LAST;
	h->c = NULL;
	conn_set_owner(c, ops, owner);
	conn_timeout(c, 0);
	conn_resume(c);
	http_call_later(x->server, &h->later); /* frees h */
	return c;
}

static const struct http_carrier h1_carrier = {
	.read_stop = h1_read_stop,
	.read_more = h1_read_more,
	.send_continue = h1_send_continue,
	.send_head = h1_send_head,
	.send_body = h1_send_body,
	.send_end = h1_send_end,
	.abort = h1_abort,
	.cork = h1_cork,
	.sni = h1_sni,
	.take_conn = h1_take_conn,
};

static void h1_free(struct h1 *h)
{
	list_del(&h->wait.in);
	list_del(&h->later.in);
	http1_free(h->parser);
	buf_free(&h->rest);
	buf_free(&h->corked);
	http_link_del(h->x.server, &h->link);
	free(h);
}

/* The exchange begins; what the last one left is forgotten. */
static void h1_activate(struct h1 *h, const struct http_head *head)
{
	list_del(&h->wait.in);
	h->state = H1_ACTIVE;
	h->x.head = head;
	h->x.user = NULL;
	h->request_done = h->stopped = h->continued = h->own_answer = false;
	h->head_sent = h->ended = h->chunked = h->no_body = h->full = false;
	h->unread = H1_DRAIN;
	h->left = 0;
}

static void h1_refuse(struct h1 *h, unsigned status, const char *why)
{
	static const struct http_header headers[] = { { "content-type", "text/plain" } };
	autobuf struct buf b = { 0 };

	h1_activate(h, &h1_no_head);
	h->request_done = true;
	h->close = true;
	h1_set_timeout(h);
	if (h->x.server->handler->bad) {
		h->x.server->handler->bad(&h->x, status, why);
		return;
	}
	h->own_answer = true;
	buf_addf(&b, "%s\n", why);
	http_answer(&h->x, status, headers, 1, b.data, b.size);
}

static void h1_late(struct http_wait *w)
{
	struct h1 *h = container_of(w, struct h1, wait);

	if (h->state == H1_HEAD)
		h1_refuse(h, 408, "the head of the request took too long");
}

static void h1_finish_connection(struct h1 *h)
{
	h->state = H1_LAST;
	conn_close_after_write(h->c);
}

static void h1_idle(struct h1 *h)
{
	http1_free(h->parser);
	h->parser = NULL;
	buf_free(&h->rest);
	h->state = H1_IDLE;
	h->x.head = &h1_no_head;
	h1_set_timeout(h);
	if (!conn_full(h->c)) /* else by drained */
		conn_resume(h->c);
}

static void h1_got_head(struct h1 *h)
{
	h1_activate(h, http1_head(h->parser));
	h->x.server->handler->head(&h->x);
	if (h->state == H1_ACTIVE && !h->stopped)
		h1_send_continue(&h->x);
	h1_set_timeout(h);
}

static void h1_got_body(struct h1 *h, const uint8_t *data, size_t size)
{
	size_t taken;

	if (h->ended || h->state != H1_ACTIVE) {
		h->unread -= (int64_t)size;
		if (h->unread < 0 && h->state == H1_DRAINING)
			h1_finish_connection(h);
		return;
	}
	taken = h->x.server->handler->body(&h->x, data, size);
	if (taken < size && h->state == H1_ACTIVE && !h->ended) {
		buf_add(&h->rest, data + taken, size - taken);
		h->stopped = true;
		h1_set_timeout(h);
	}
}

static void h1_got_end(struct h1 *h)
{
	h->request_done = true;
	if (h->state == H1_DRAINING)
		h1_idle(h);
	else if (!h->ended && h->x.server->handler->end)
		h->x.server->handler->end(&h->x);
	h1_set_timeout(h);
}

/* Is there something to be parsed now? */
static bool h1_listens(const struct h1 *h)
{
	if (h->state == H1_ACTIVE)
		return !h->cut && !h->request_done && (!h->stopped || h->ended);
	return h->c && !h->cut && h->state != H1_LAST;
}

static size_t h1_parse(struct h1 *h, const uint8_t *data, size_t size)
{
	const uint8_t *body;
	size_t at = 0, used, n;

	while (h1_listens(h)) {
		if (!h->parser) {
			if (at == size || conn_full(h->c))
				break;
			h->parser = http1_new(true);
			h->state = H1_HEAD;
			http_wait_start(h->x.server, &h->wait);
		}
		switch (http1_next(h->parser, data + at, size - at, &used, &body, &n)) {
		case HTTP1_MORE:
			return at + used;
		case HTTP1_HEAD:
			h1_got_head(h);
			break;
		case HTTP1_BODY:
			h1_got_body(h, body, n);
			break;
		case HTTP1_END:
			h1_got_end(h);
			break;
		case HTTP1_UPGRADE:
		case HTTP1_BAD:
			if (h->state == H1_HEAD)
				h1_refuse(h, http1_status(h->parser), http1_error(h->parser));
			else
				h1_cut(h);
			return size;
		}
		at += used;
	}
	return h->state == H1_LAST && h->c ? size : at;
}

/* The answer is complete: tell the handler, then see what becomes of the connection. */
static void h1_done(struct h1 *h)
{
	h->state = H1_DRAINING;
	if (!h->own_answer)
		h->x.server->handler->done(&h->x);
	if (h->close) {
		h1_finish_connection(h);
		return;
	}
	if (h->request_done) {
		h1_idle(h);
		return;
	}
	(void)h1_parse(h, (const uint8_t *)"", 0); /* the end may be in the parser already */
	if (h->state == H1_DRAINING)
		conn_resume(h->c);
}

static size_t h1_data(struct conn *c, const uint8_t *data, size_t size)
{
	return h1_parse(conn_owner(c), data, size);
}

/* The handler takes body again: first what it left, then what the parser holds. */
static void h1_resumed(struct conn *c)
{
	struct h1 *h = conn_owner(c);
	struct buf rest = h->rest;

	if (!h->stopped)
		return;
	h->stopped = false;
	h->rest = (struct buf){ 0 };
	if (rest.size)
		h1_got_body(h, rest.data, rest.size);
	buf_free(&rest);
	if (h->parser && h1_listens(h))
		(void)h1_parse(h, (const uint8_t *)"", 0);
	if (h->eof && h->c && !h->stopped && !h->request_done)
		h1_cut(h);
	h1_set_timeout(h);
}

static void h1_later(struct http_later *l)
{
	struct h1 *h = container_of(l, struct h1, later);

	if (!h->c)
		h1_free(h);
	else if (h->state == H1_ACTIVE && h->ended)
		h1_done(h);
}

static void h1_end(struct conn *c)
{
	struct h1 *h = conn_owner(c);

	/* Over plain TCP a client may have said all it has to say; over TLS it is gone. */
	h->eof = true;
	if (h->state == H1_ACTIVE && (h->request_done || h->stopped) && !h->tls)
		h->close = true;
	else if (h->state != H1_LAST)
		h1_cut(h);
}

static void h1_drained(struct conn *c)
{
	struct h1 *h = conn_owner(c);

	h1_set_timeout(h);
	if (h->state == H1_ACTIVE && h->full && !h->ended) {
		h->full = false;
		if (h->x.server->handler->writable)
			h->x.server->handler->writable(&h->x);
	} else if (h->state == H1_IDLE) {
		conn_resume(c);
	}
}

static void h1_closed(struct conn *c)
{
	struct h1 *h = conn_owner(c);
	bool tell = h->state == H1_ACTIVE && !h->own_answer;

	h->c = NULL;
	h->state = H1_LAST;
	h->x.gone = true;
	if (tell)
		h->x.server->handler->done(&h->x);
	h1_free(h);
}

static void h1_close(struct http_link *l)
{
	struct h1 *h = container_of(l, struct h1, link);

	if (h->c)
		h1_cut(h);
	else
		h1_free(h); /* its connection was taken a moment ago */
}

static const struct conn_ops h1_conn_ops = {
	.data = h1_data,
	.resumed = h1_resumed,
	.end = h1_end,
	.drained = h1_drained,
	.closed = h1_closed,
};

int http_h1_new(struct http_server *s, int fd, struct err *e)
{
	struct h1 *h = xcalloc(1, sizeof(*h));

	h->x = (struct http_exchange){ .carrier = &h1_carrier, .server = s, .head = &h1_no_head };
	h->link.close = h1_close;
	h->wait.late = h1_late;
	h->later.call = h1_later;
	h->tls = s->tls;
	list_init(&h->wait.in);
	list_init(&h->later.in);
	list_init(&h->link.in);
	h->c = conn_new(s->loop, fd, s->tls, &h1_conn_ops, h, e);
	if (!h->c) {
		free(h);
		return -1;
	}
	http_link_add(s, &h->link);
	h1_set_timeout(h);
	return 0;
}
