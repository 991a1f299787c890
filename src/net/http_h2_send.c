/* http_h2_send.c - answers over HTTP/2: their heads, bodies and trailers, and resets. */

#include <string.h>

#include "net/http_h2.h"
#include "wire/http1_head.h"

#define H2_LINES_MOST (LIMIT_HTTP_HEADERS + HTTP_TRAILERS_MOST + 8)

/* They belong to a connection of HTTP/1.1, or to its upgrade. */
static const char *const h2_left_out[] = {
	"connection", "keep-alive",           "proxy-connection", "transfer-encoding",
	"upgrade",    "sec-websocket-accept", "content-length",
};

static bool h2_may_send(const char *name, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(h2_left_out); i++)
		if (http_name_is(name, h2_left_out[i]))
			return false;
	return http1_is_token(name, strlen(name)) && http1_is_value(value, strlen(value));
}

static void h2_put_line(struct buf *b, const char *name, const char *value)
{
	buf_add(b, name, strlen(name) + 1);
	buf_add(b, value, strlen(value) + 1);
}

static void h2_put_lines(struct buf *b, const struct http_header *headers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (h2_may_send(headers[i].name, headers[i].value))
			h2_put_line(b, headers[i].name, headers[i].value);
}

static size_t h2_fields_of(const struct buf *lines, nghttp2_nv at[], size_t room)
{
	uint8_t *name = lines->data, *end = name + lines->size;
	size_t n = 0;

	while (name != end && n < room) {
		uint8_t *value = name + strlen((char *)name) + 1;
		size_t size = strlen((char *)value);

		at[n++] = (nghttp2_nv){ .name = name,
					.value = value,
					.namelen = (size_t)(value - name) - 1,
					.valuelen = size };
		name = value + size + 1;
	}
	return n;
}

static void h2_put_number(struct buf *b, const char *name, uint64_t number)
{
	buf_add(b, name, strlen(name) + 1);
	buf_add_number(b, number);
	buf_add(b, "", 1);
}

static void h2_put_status(struct buf *b, unsigned status)
{
	h2_put_number(b, ":status", status);
}

void h2_reset(struct h2_stream *s, uint32_t code)
{
	if (s->answer == H2_ABORTED || s->h->closing)
		return;
	s->answer = H2_ABORTED;
	list_del(&s->in_heads);
	nghttp2_submit_rst_stream(s->h->session, NGHTTP2_FLAG_NONE, s->id, code);
	h2_set_awaited(s);
	h2_pump_later(s->h);
}

/* @ends: nothing follows the head. */
static void h2_submit(struct h2_stream *s, bool ends)
{
	const nghttp2_data_provider body = { .source.ptr = s, .read_callback = h2_read_answer };
	static nghttp2_nv fields[H2_LINES_MOST]; /* nghttp2 copies them */
	size_t n = h2_fields_of(&s->lines, fields, ARRAY_SIZE(fields));

	list_del(&s->in_heads);
	if (nghttp2_submit_response(s->h->session, s->id, fields, n, ends ? NULL : &body))
		h2_reset(s, NGHTTP2_INTERNAL_ERROR);
	buf_give(&h2_texts, &s->lines);
	h2_pump_later(s->h);
}

void h2_submit_heads(struct h2 *h)
{
	list_each(s, &h->heads, struct h2_stream, in_heads)
	{
		if (s->answer == H2_HEAD_WAITS)
			s->answer = H2_HEAD_SENT;
		h2_submit(s, false);
	}
}

static void h2_send_interim(struct http_exchange *x, unsigned status,
			    const struct http_header *headers, size_t n)
{
	struct h2_stream *s = h2_of(x);
	nghttp2_nv fields[H2_LINES_MOST];
	autobuf struct buf lines = { 0 };

	if (s->answer >= H2_HEAD_WAITS || s->h->closing)
		return;
	h2_put_status(&lines, status);
	h2_put_lines(&lines, headers, n);
	nghttp2_submit_headers(s->h->session, NGHTTP2_FLAG_NONE, s->id, NULL, fields,
			       h2_fields_of(&lines, fields, ARRAY_SIZE(fields)), NULL);
	h2_pump_later(s->h);
}

static void h2_send_continue(struct http_exchange *x)
{
	struct h2_stream *s = h2_of(x);

	if (!x->head->expect_continue || s->answer != H2_NO_ANSWER)
		return;
	h2_send_interim(x, 100, NULL, 0);
	s->answer = H2_CONTINUED;
}

static bool h2_dated(const struct http_header *headers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (http_name_is(headers[i].name, "date"))
			return true;
	return false;
}

/* To an extended CONNECT any 2xx means that the tunnel stands (RFC 8441 5). */
static unsigned h2_status(const struct h2_stream *s, unsigned status)
{
	if (status == 101)
		return 200;
	return *s->key && status / 100 == 2 ? 502 : status;
}

static void h2_send_head(struct http_exchange *x, unsigned status,
			 const struct http_header *headers, size_t n, int64_t length)
{
	struct h2_stream *s = h2_of(x);

	if (s->answer == H2_ABORTED)
		return;
	assert(s->answer < H2_HEAD_WAITS);
	s->answer = H2_HEAD_WAITS;
	s->bodyless = !strcmp(x->head->method, "HEAD") || status == 204 || status == 304;
	s->left = status == 101 ? -1 : length;
	buf_take(&h2_texts, &s->lines);
	h2_put_status(&s->lines, h2_status(s, status));
	h2_put_lines(&s->lines, headers, n);
	if (length >= 0 && status != 204 && status != 101)
		h2_put_number(&s->lines, "content-length", (uint64_t)length);
	if (!h2_dated(headers, n))
		h2_put_line(&s->lines, "date", http_date());
	list_add(&s->h->heads, &s->in_heads);
	h2_pump_later(s->h);
}

void h2_queue(struct h2_stream *s, const void *data, size_t size)
{
	if (s->h->closing || s->answer >= H2_ENDED)
		return;
	buf_take(&h2_texts, &s->out);
	buf_add(&s->out, data, size);
	s->h->pending += size;
	if (s->answer == H2_HEAD_WAITS) {
		s->answer = H2_HEAD_SENT;
		h2_submit(s, false);
	} else {
		nghttp2_session_resume_data(s->h->session, s->id);
	}
	h2_pump_later(s->h);
}

static bool h2_send_body(struct http_exchange *x, const void *data, size_t size)
{
	struct h2_stream *s = h2_of(x);

	assert(s->answer >= H2_HEAD_WAITS);
	if (!size || s->bodyless)
		return true;
	assert(s->left < 0 || (int64_t)size <= s->left || s->answer == H2_ABORTED);
	s->left -= s->left < 0 ? 0 : (int64_t)size;
	h2_queue(s, data, size);
	s->full = h2_queued(s) >= LIMIT_HTTP_BUFFER;
	return !s->full;
}

static void h2_send_trailers(struct http_exchange *x, const struct http_header *fields, size_t n)
{
	struct h2_stream *s = h2_of(x);
	bool waits = s->answer == H2_HEAD_WAITS, alone = s->left == 0 && !h2_queued(s);

	if (s->answer >= H2_ENDED)
		return;
	if (s->left > 0 && !s->bodyless) {
		h2_reset(s, NGHTTP2_INTERNAL_ERROR); /* the body is shorter than promised */
		return;
	}
	s->answer = H2_ENDED;
	h2_set_awaited(s);
	if (waits && (alone || s->bodyless || !n)) {
		if (!s->bodyless)
			h2_put_lines(&s->lines, fields, n);
		h2_submit(s, true);
		return;
	}
	h2_put_lines(&s->tail, fields, s->bodyless ? 0 : n);
	if (waits)
		h2_submit(s, false);
	else
		nghttp2_session_resume_data(s->h->session, s->id);
	h2_pump_later(s->h);
}

void h2_send_end(struct http_exchange *x)
{
	h2_send_trailers(x, NULL, 0);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is nghttp2's */
ssize_t h2_read_answer(nghttp2_session *session, int32_t id, uint8_t *to, size_t room,
		       uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct h2_stream *s = source->ptr;
	size_t have = h2_queued(s);
	nghttp2_nv fields[HTTP_TRAILERS_MOST];

	(void)to, (void)arg;
	if (!have && s->answer != H2_ENDED)
		return NGHTTP2_ERR_DEFERRED;
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (room < have)
		return (ssize_t)room;
	if (s->answer != H2_ENDED)
		return (ssize_t)have;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (!s->tail.size)
		return (ssize_t)have;
	*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	if (nghttp2_submit_trailer(session, id, fields,
				   h2_fields_of(&s->tail, fields, ARRAY_SIZE(fields))))
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	buf_free(&s->tail);
	return (ssize_t)have;
}

int h2_put_answer(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t size,
		  nghttp2_data_source *source, void *arg)
{
	struct h2_stream *s = source->ptr;
	struct h2 *h = arg;

	(void)session;
	if (h2_out.size >= H2_PIECE)
		return NGHTTP2_ERR_WOULDBLOCK;
	assert(size <= h2_queued(s) && !frame->data.padlen);
	buf_add(&h2_out, head, 9);
	buf_add(&h2_out, s->out.data + s->out_at, size);
	s->out_at += size;
	h->pending -= size;
	h->let_through += size;
	if (!h2_queued(s)) {
		buf_clear(&s->out);
		s->out_at = 0;
		if (s->asks_receipt)
			h2_ask_receipt(s);
	}
	if (s->full && h2_queued(s) < LIMIT_HTTP_BUFFER / 2)
		http_call_later(h->server, &s->later);
	return 0;
}

static void h2_read_stop(struct http_exchange *x)
{
	struct h2_stream *s = h2_of(x);

	s->rest.stopped = true;
	h2_set_awaited(s);
}

static void h2_read_more(struct http_exchange *x)
{
	h2_send_continue(x);
	h2_read_on(h2_of(x));
}

static void h2_abort(struct http_exchange *x, uint32_t h2_code)
{
	h2_reset(h2_of(x), h2_code);
}

static void h2_cork(struct http_exchange *x, bool on)
{
	(void)x, (void)on; /* all that is sent waits for the loop's next turn */
}

static const char *h2_sni(const struct http_exchange *x)
{
	const struct h2_stream *s = (const struct h2_stream *)(const void *)x;

	static_assert(offsetof(struct h2_stream, x) == 0, "x is not first");
	return s->h->closing ? "" : conn_sni(s->h->c);
}

static bool h2_peer(const struct http_exchange *x, struct sockaddr_storage *to)
{
	const struct h2_stream *s = (const struct h2_stream *)(const void *)x;

	return !s->h->closing && conn_peer(s->h->c, to);
}

const struct http_carrier h2_carrier = {
	.version = 2,
	.read_stop = h2_read_stop,
	.read_more = h2_read_more,
	.send_continue = h2_send_continue,
	.send_interim = h2_send_interim,
	.send_head = h2_send_head,
	.send_body = h2_send_body,
	.send_end = h2_send_end,
	.send_trailers = h2_send_trailers,
	.abort = h2_abort,
	.cork = h2_cork,
	.sni = h2_sni,
	.peer = h2_peer,
	.take_duplex = h2_take_duplex,
	.upgrade_fits = h2_upgrade_fits,
};
