/* http_h2_exchange.c - requests on their way to the handler: heads, bodies and what is credited for
 * them, and the end of a stream. */

#include <stdlib.h>
#include <string.h>

#include "base/spare.h"
#include "net/http_h2.h"

static const struct http_head h2_no_head = { .request = true, .target = "", .host = "" };

struct buf_stock h2_texts = { .most = 4 * KIB, .keep = BUF_STOCK_MOST };
static struct spare h2_streams = SPARE(sizeof(struct h2_stream));

static void h2_later(struct http_later *l);

struct h2_stream *h2_stream_new(struct h2 *h, int32_t id)
{
	struct h2_stream *s = spare_take(&h2_streams, offsetof(struct h2_stream, head));

	s->head.text = s->trailers.text = (struct buf){ 0 };
	s->trailers.n = 0;
	http_head_clear(&s->head);
	s->x = (struct http_exchange){ .carrier = &h2_carrier,
				       .server = h->server,
				       .head = &h2_no_head,
				       .source = h->source };
	s->h = h;
	s->id = id;
	s->left = -1;
	s->window = H2_WINDOW_FIRST;
	s->later.call = h2_later;
	list_init(&s->later.in);
	list_init(&s->in_heads);
	list_add(&h->streams, &s->in_h2);
	if (!h->n_streams++) {
		http_link_works(&h->link);
		conn_timeout(h->c, 0);
	}
	return s;
}

void h2_set_awaited(struct h2_stream *s)
{
	bool now = s->handed && !s->request_done && !s->rest.stopped && !s->tunnel &&
		   s->answer < H2_ENDED;

	if (now != s->awaited)
		s->h->n_awaited = now ? s->h->n_awaited + 1 : s->h->n_awaited - 1;
	s->awaited = now;
}

static void h2_credit_connection(struct h2 *h)
{
	if (h->held > LIMIT_HTTP2_HELD || !h->uncredited || h->closing)
		return;
	nghttp2_session_consume_connection(h->session, h->uncredited);
	h->uncredited = 0;
}

/* The handler took these bytes, or nobody will. */
static void h2_credit(struct h2_stream *s, size_t size)
{
	struct h2 *h = s->h;

	if (!size || h->closing)
		return;
	nghttp2_session_consume_stream(h->session, s->id, size);
	if (h2_window_took(&h->window, size, uv_hrtime() / 1000))
		nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, (const uint8_t *)"dozewin");
	if (s->window < h->window.size && !s->request_done) {
		s->window = h->window.size;
		nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, s->id,
						      (int32_t)s->window);
	}
	h2_pump_later(h);
}

void h2_measured(struct h2 *h)
{
	size_t more = h2_window_measured(&h->window, uv_hrtime() / 1000);

	if (!more || h->server->windows + more > LIMIT_HTTP2_WINDOWS)
		return;
	h->server->windows += more;
	h->window.size += more;
	nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
					      (int32_t)h->window.size);
}

static void h2_let_go(struct h2_stream *s)
{
	struct h2 *h = s->h;

	h->held -= h2_unread(s);
	h->pending -= h2_queued(s);
	h2_credit_connection(h);
	list_del(&s->later.in);
	list_del(&s->in_heads);
	list_del(&s->in_h2);
	buf_free(&s->rest.bytes);
	buf_give(&h2_texts, &s->fields.text);
	buf_give(&h2_texts, &s->lines);
	buf_free(&s->tail);
	buf_give(&h2_texts, &s->out);
	http_trailers_clear(&s->trailers);
	buf_give(&h2_texts, &s->head.text);
	if (--h->n_streams || h->closing)
		return;
	http_link_waits(h->server, &h->link, h->source);
	conn_timeout(h->c, h->server->limits.idle_timeout_ms);
}

void h2_stream_closed(struct h2_stream *s)
{
	bool whole = s->answer == H2_ENDED && !h2_queued(s) && !s->tail.size;

	s->x.gone = !whole;
	s->answer = H2_ABORTED;
	h2_set_awaited(s);
	if (s->tunnel)
		s->duplex.ops->closed(&s->duplex);
	else if (s->handed)
		s->x.server->handler->done(&s->x);
	http_trust(&s->x);
	h2_let_go(s);
	spare_give(&h2_streams, s);
}

static void h2_refuse(struct h2_stream *s, unsigned status, const char *why)
{
	static const struct http_header headers[] = { { "content-type", "text/plain" } };
	autobuf struct buf b = { 0 };

	s->x.head = &h2_no_head;
	if (s->x.server->handler->bad) {
		s->handed = true;
		s->x.server->handler->bad(&s->x, status, why);
		return;
	}
	buf_addf(&b, "%s\n", why);
	http_answer(&s->x, status, headers, 1, b.data, b.size);
}

void h2_got_head(struct h2_stream *s, bool ended)
{
	const char *why = "";
	unsigned status;

	if (s->fields.protocol)
		h2_make_key(s);
	status = http2_head_parse(&s->head, &s->fields, ended, s->key, &why);
	if (!s->head.upgrade)
		*s->key = '\0';
	if (status) {
		h2_refuse(s, status, why);
		return;
	}
	s->x.head = &s->head;
	s->handed = true;
	s->request_done = ended;
	s->rest.stopped = s->head.upgrade; /* what comes is not for the exchange */
	s->x.server->handler->head(&s->x);
	if (!s->rest.stopped && s->answer == H2_NO_ANSWER)
		http_send_continue(&s->x);
	h2_set_awaited(s);
}

void h2_got_trailers(struct h2_stream *s)
{
	struct http2_fields fields = s->fields;

	s->fields = (struct http2_fields){ 0 };
	s->trailers.text = fields.text;
	if (fields.over || !http_trailers_read(&s->trailers))
		h2_reset(s, NGHTTP2_PROTOCOL_ERROR);
}

static void h2_keep(struct h2_stream *s, const uint8_t *data, size_t size)
{
	http_rest_keep(&s->rest, data, size);
	s->h->held += size;
}

/* Give bytes to whoever has the stream now.  Returns how many it took. */
static size_t h2_give(struct h2_stream *s, const uint8_t *data, size_t size)
{
	size_t taken = size;

	if (s->tunnel)
		taken = s->duplex.ops->data(&s->duplex, data, size);
	else if (s->handed && s->answer < H2_ENDED)
		taken = s->x.server->handler->body(&s->x, data, size);
	if (s->answer >= H2_ENDED && !s->tunnel)
		taken = size;
	h2_credit(s, taken);
	h2_set_awaited(s);
	return taken;
}

void h2_got_data(struct h2_stream *s, const uint8_t *data, size_t size)
{
	struct h2 *h = s->h;
	bool waits = s->rest.stopped && (s->answer < H2_ENDED || s->tunnel);
	size_t taken = waits ? 0 : h2_give(s, data, size);

	h->uncredited += size;
	if (taken < size)
		h2_keep(s, data + taken, size - taken);
	h2_credit_connection(h);
	h2_set_awaited(s);
}

/* The last byte was taken, so the handler may know. */
static void h2_tell_end(struct h2_stream *s)
{
	const struct http_handler *handler = s->x.server->handler;

	if (!s->request_done || s->told_end || s->rest.stopped || h2_unread(s) || !s->handed)
		return;
	s->told_end = true;
	if (s->tunnel) {
		s->duplex.ops->end(&s->duplex);
		return;
	}
	if (s->trailers.n && handler->trailers && s->answer < H2_ENDED)
		handler->trailers(&s->x, s->trailers.at, s->trailers.n);
	if (handler->end && s->answer < H2_ENDED)
		handler->end(&s->x);
}

void h2_got_end(struct h2_stream *s)
{
	s->request_done = true;
	h2_tell_end(s);
	h2_set_awaited(s);
}

void h2_read_on(struct h2_stream *s)
{
	if (!s->rest.stopped)
		return;
	s->resumes = true;
	http_call_later(s->x.server, &s->later);
}

/* What waits may be a whole window, so it is not moved for every piece that is taken. */
static void h2_give_rest(struct h2_stream *s)
{
	size_t size = h2_unread(s), taken = h2_give(s, s->rest.bytes.data + s->rest_at, size);

	s->rest_at += taken;
	s->h->held -= taken;
	if (taken < size)
		s->rest.stopped = true;
	if (s->rest_at == s->rest.bytes.size)
		buf_free(&s->rest.bytes);
	else if (s->rest_at > s->rest.bytes.size / 2)
		buf_drop(&s->rest.bytes, s->rest_at);
	else
		return;
	s->rest_at = 0;
}

static void h2_resume(struct h2_stream *s)
{
	s->resumes = false;
	if (!s->rest.stopped)
		return;
	s->rest.stopped = false;
	if (h2_unread(s))
		h2_give_rest(s);
	h2_tell_end(s);
	h2_set_awaited(s);
	h2_credit_connection(s->h);
	h2_pump_later(s->h);
}

static void h2_later(struct http_later *l)
{
	struct h2_stream *s = container_of(l, struct h2_stream, later);

	if (s->h->closing)
		return;
	if (s->unwanted && !s->request_done) {
		nghttp2_submit_rst_stream(s->h->session, NGHTTP2_FLAG_NONE, s->id,
					  NGHTTP2_NO_ERROR);
		h2_pump_later(s->h);
	}
	s->unwanted = false;
	if (s->resumes)
		h2_resume(s);
	if (!s->full || s->answer >= H2_ENDED || h2_queued(s) >= LIMIT_HTTP_BUFFER / 2)
		return;
	s->full = false;
	if (s->tunnel)
		s->duplex.ops->drained(&s->duplex);
	else if (s->x.server->handler->writable)
		s->x.server->handler->writable(&s->x);
}
