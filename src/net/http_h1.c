#include "net/http_h1.h"

#include <stdlib.h>

#include "net/parsers.h"

static const struct http_head h1_no_head = { .request = true, .target = "", .host = "" };
static const struct conn_ops h1_conn_ops;
static size_t h1_data(struct conn *c, const uint8_t *data, size_t size);

static const uint8_t h1_may_go[H1_NUM_STATES] = {
	[H1_IDLE] = 1U << H1_HEAD | 1U << H1_LAST,
	[H1_HEAD] = 1U << H1_ACTIVE | 1U << H1_LAST,
	[H1_ACTIVE] = 1U << H1_DRAINING | 1U << H1_LAST,
	[H1_DRAINING] = 1U << H1_IDLE | 1U << H1_LAST,
	[H1_LAST] = 1U << H1_LAST,
};

void h1_go(struct h1 *h, enum h1_state to)
{
	assert(h1_may_go[h->state] & 1U << to);
	h->state = to;
}

static void h1_free(struct h1 *h)
{
	list_del(&h->wait.in);
	list_del(&h->later.in);
	parser_give(h->parser);
	buf_free(&h->rest.bytes);
	buf_free(&h->corked);
	http_link_del(h->x.server, &h->link);
	free(h);
}

/* An exchange begins, and what the last one left is forgotten. */
static void h1_activate(struct h1 *h, const struct http_head *head)
{
	const struct http_server *s = h->x.server;

	list_del(&h->wait.in);
	h1_go(h, H1_ACTIVE);
	h->x.head = head;
	h->x.user = NULL;
	http_link_works(&h->link);
	conn_pace_in(h->c, s->limits.body_timeout_ms,
		     s->handler->passes_bodies_on ? 0 : s->limits.min_rate);
	h->answer = H1_NO_ANSWER;
	h->framing = H1_BY_LENGTH;
	h->request_done = h->rest.stopped = h->own_answer = h->full = false;
	h->burst = 0;
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
	h1_go(h, H1_LAST);
	conn_close_after_write(h->c);
}

static void h1_idle(struct h1 *h)
{
	parser_give(h->parser);
	h->parser = NULL;
	buf_free(&h->rest.bytes);
	h1_go(h, H1_IDLE);
	h->x.head = &h1_no_head;
	http_link_waits(h->x.server, &h->link, h->x.source);
	h1_set_timeout(h);
	if (conn_waits(h->c) && !conn_full(h->c)) /* otherwise h1_drained does it */
		conn_resume(h->c);
}

static void h1_got_head(struct h1 *h)
{
	h1_activate(h, http1_head(h->parser));
	h->x.server->handler->head(&h->x);
	if (h->state == H1_ACTIVE && !h->rest.stopped)
		h1_carrier.send_continue(&h->x);
	h1_set_timeout(h);
}

static void h1_got_body(struct h1 *h, const uint8_t *data, size_t size)
{
	size_t taken;

	if (h->answer == H1_ENDED || h->state != H1_ACTIVE) {
		h->unread -= (int64_t)size;
		if (h->unread < 0 && h->state == H1_DRAINING)
			h1_finish_connection(h);
		return;
	}
	taken = h->x.server->handler->body(&h->x, data, size);
	if (taken < size && h->state == H1_ACTIVE && h->answer != H1_ENDED) {
		http_rest_keep(&h->rest, data + taken, size - taken);
		h1_set_timeout(h);
	}
}

static void h1_got_end(struct h1 *h)
{
	h->request_done = true;
	if (h->state == H1_DRAINING)
		h1_idle(h);
	else if (h->answer != H1_ENDED && h->x.server->handler->end)
		h->x.server->handler->end(&h->x);
	h1_set_timeout(h);
}

static void h1_got_trailers(struct h1 *h)
{
	size_t n;
	const struct http_header *fields = http1_trailers(h->parser, &n);

	if (h->state == H1_ACTIVE && h->answer != H1_ENDED && h->x.server->handler->trailers)
		h->x.server->handler->trailers(&h->x, fields, n);
}

/* May bytes be parsed now?  */
static bool h1_listens(const struct h1 *h)
{
	if (h->state == H1_ACTIVE)
		return !h->cut && !h->request_done && (!h->rest.stopped || h->answer == H1_ENDED);
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
			h->parser = parser_take(true);
			h1_go(h, H1_HEAD);
			http_link_waits(h->x.server, &h->link, h->x.source);
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
		case HTTP1_TRAILERS:
			h1_got_trailers(h);
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

/* The answer is complete.  The handler hears of it first; then the connection goes on or ends. */
static void h1_done(struct h1 *h)
{
	h1_go(h, H1_DRAINING);
	if (!h->own_answer)
		h->x.server->handler->done(&h->x);
	http_trust(&h->x);
	h1_set_timeout(h);
	if (h->close) {
		h1_finish_connection(h);
		return;
	}
	if (h->request_done) {
		h1_idle(h);
		return;
	}
	(void)h1_parse(h, (const uint8_t *)"", 0); /* the parser may already hold the end of the
						      request */
	if (h->state == H1_DRAINING)
		conn_resume(h->c);
}

static size_t h1_data(struct conn *c, const uint8_t *data, size_t size)
{
	return h1_parse(conn_owner(c), data, size);
}

/* The handler takes body again: first what it left, and then what the parser holds. */
static void h1_resumed(struct conn *c)
{
	struct h1 *h = conn_owner(c);
	autobuf struct buf again = { 0 };

	if (!http_rest_go_on(&h->rest, &again))
		return;
	if (again.size)
		h1_got_body(h, again.data, again.size);
	if (h->parser && h1_listens(h))
		(void)h1_parse(h, (const uint8_t *)"", 0);
	if (h->eof && h->c && !h->rest.stopped && !h->request_done)
		h1_cut(h);
	h1_set_timeout(h);
}

/* The handler may send again. */
static void h1_room(struct h1 *h)
{
	h->burst = 0;
	if (h->state != H1_ACTIVE || h->answer == H1_ENDED || !h->full || conn_full(h->c))
		return;
	h->full = false;
	if (h->x.server->handler->writable)
		h->x.server->handler->writable(&h->x);
}

static void h1_later(struct http_later *l)
{
	struct h1 *h = container_of(l, struct h1, later);

	if (!h->c)
		h1_free(h);
	else if (h->state == H1_ACTIVE && h->answer == H1_ENDED)
		h1_done(h);
	else
		h1_room(h);
}

static void h1_end(struct conn *c)
{
	struct h1 *h = conn_owner(c);

	/* Over plain TCP a client may end its side and still wait for the answer; over TLS it is
	 * gone. */
	h->eof = true;
	if (h->state == H1_ACTIVE && (h->request_done || h->rest.stopped) && !h->tls)
		h->close = true;
	else if (h->state != H1_LAST)
		h1_cut(h);
}

static void h1_drained(struct conn *c)
{
	struct h1 *h = conn_owner(c);

	h1_set_timeout(h);
	if (h->state == H1_IDLE)
		conn_resume(c);
	else
		h1_room(h);
}

static void h1_closed(struct conn *c)
{
	struct h1 *h = conn_owner(c);
	bool notify = h->state == H1_ACTIVE && !h->own_answer;

	h->c = NULL;
	h1_go(h, H1_LAST);
	h->x.gone = true;
	if (notify)
		h->x.server->handler->done(&h->x);
	http_trust(&h->x);
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

void http_h1_take(struct http_server *s, struct conn *c, struct quota_source *source)
{
	struct h1 *h = xcalloc(1, sizeof(*h));

	h->x = (struct http_exchange){
		.carrier = &h1_carrier, .server = s, .head = &h1_no_head, .source = source
	};
	http_link_init(&h->link, h1_close);
	h->wait.late = h1_late;
	h->later.call = h1_later;
	h->tls = s->tls;
	list_init(&h->wait.in);
	list_init(&h->later.in);
	h->c = c;
	conn_set_owner(c, &h1_conn_ops, h);
	http_link_add(s, &h->link);
	http_link_waits(s, &h->link, source);
	h1_set_timeout(h);
}
