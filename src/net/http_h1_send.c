/* http_h1_send.c - answers over HTTP/1.1: their framing, and whether the connection is kept,
 * closed or handed over. */

#include <string.h>

#include "net/http_h1.h"

#define H1_BURST (1 * MIB) /* what one fast client may take before others have their turn */

void h1_set_timeout(struct h1 *h)
{
	bool body = h->state == H1_ACTIVE || h->state == H1_DRAINING;
	int64_t ms = h->state == H1_ACTIVE ? 0 : h->x.server->limits.idle_timeout_ms;

	if (!h->c || h->state == H1_LAST)
		return;
	conn_await(h->c, body && !h->request_done && (!h->rest.stopped || h->answer == H1_ENDED));
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

	if (!x->head->expect_continue || h->answer != H1_NO_ANSWER)
		return;
	h->answer = H1_CONTINUED;
	h1_write(h, text, sizeof(text) - 1);
}

static void h1_read_stop(struct http_exchange *x)
{
	struct h1 *h = h1_of(x);

	h->rest.stopped = true;
	h1_set_timeout(h);
}

static void h1_read_more(struct http_exchange *x)
{
	struct h1 *h = h1_of(x);

	if (!h->rest.stopped)
		return;
	h1_send_continue(x);
	if (h->c)
		conn_resume(h->c);
}

/* Can the connection carry another request after this answer?  */
static bool h1_may_keep(const struct h1 *h)
{
	const struct http_head *head = h->x.head;

	if (h->close || !head->keep_alive || h->x.server->draining)
		return false;
	if (h->request_done || !h1_has_body(head))
		return true;
	/* A client that waits for a 100 and gets another answer may send its body, or not: nobody
	 * knows what the next bytes are. */
	if (head->expect_continue && h->answer != H1_CONTINUED)
		return false;
	return !head->chunked && head->length <= (int64_t)H1_DRAIN;
}

static void h1_put_headers(struct buf *b, const struct http_header *headers, size_t n)
{
	bool dated = false;

	for (size_t i = 0; i < n; i++) {
		/* A header that may not be written is left out, because it would end the head. */
		if (http1_put_header(b, headers[i].name, headers[i].value))
			dated = dated || http_name_is(headers[i].name, "date");
	}
	if (!dated)
		(void)!http1_put_header(b, "date", http_date());
}

static void h1_put_framing(struct h1 *h, struct buf *b, unsigned status, int64_t length)
{
	bool chunks = length < 0 && h->x.head->minor && status != 204 && status != 304;

	if (!strcmp(h->x.head->method, "HEAD") || status == 204 || status == 304)
		h->framing = H1_WITHOUT_BODY;
	else if (length < 0)
		h->framing = chunks ? H1_BY_CHUNKS : H1_BY_CLOSE;
	h->close = !h1_may_keep(h) || h->framing == H1_BY_CLOSE;
	h->left = length;
	if (length >= 0 && status != 204)
		http1_put_length(b, (uint64_t)length);
	else if (chunks)
		buf_adds(b, "transfer-encoding: chunked\r\n");
	if (h->close)
		buf_adds(b, "connection: close\r\n");
	else if (!h->x.head->minor)
		buf_adds(b, "connection: keep-alive\r\n");
}

static void h1_send_head(struct http_exchange *x, unsigned status,
			 const struct http_header *headers, size_t n, int64_t length)
{
	static struct buf b; /* there is one loop, and nothing of it is needed afterwards */
	struct h1 *h = h1_of(x);

	assert(h->answer < H1_HEAD_SENT);
	buf_clear(&b);
	http1_put_status_as(&b, status, x->reason ? x->reason : http_reason(status));
	h1_put_headers(&b, headers, n);
	if (status == 101)
		buf_adds(&b, "connection: upgrade\r\n");
	else
		h1_put_framing(h, &b, status, length);
	h->answer = H1_HEAD_SENT;
	http1_put_end(&b);
	h1_write(h, b.data, b.size);
	h1_set_timeout(h);
}

static bool h1_send_body(struct http_exchange *x, const void *data, size_t size)
{
	struct h1 *h = h1_of(x);

	assert(h->answer == H1_HEAD_SENT);
	if (!size || h->framing == H1_WITHOUT_BODY || !h->c)
		return true;
	if (h->framing == H1_BY_CHUNKS) {
		autobuf struct buf b = { 0 };

		http1_put_chunk(&b, data, size);
		h1_write(h, b.data, b.size);
	} else {
		assert(h->framing == H1_BY_CLOSE || (int64_t)size <= h->left);
		h->left -= h->framing == H1_BY_CLOSE ? 0 : (int64_t)size;
		h1_write(h, data, size);
	}
	h->burst += size;
	h->full = conn_full(h->c) || h->burst >= H1_BURST;
	if (h->full && !conn_full(h->c))
		http_call_later(x->server, &h->later); /* others have their turn */
	h1_set_timeout(h);
	return !h->full;
}

void h1_cut(struct h1 *h)
{
	h->cut = true;
	if (h->c)
		conn_close(h->c);
}

static void h1_abort(struct http_exchange *x, uint32_t h2_code)
{
	(void)h2_code;
	h1_cut(h1_of(x));
}

static void h1_send_trailers(struct http_exchange *x, const struct http_header *fields, size_t n)
{
	struct h1 *h = h1_of(x);
	autobuf struct buf b = { 0 };

	assert(h->answer == H1_HEAD_SENT);
	h->answer = H1_ENDED;
	if (h->framing == H1_BY_CHUNKS) {
		http1_put_trailers(&b, fields, http_head_takes_trailers(x->head) ? n : 0);
		h1_write(h, b.data, b.size);
	}
	if (h->framing == H1_BY_LENGTH && h->left > 0) {
		h1_cut(h); /* the body is shorter than promised, and only a cut says so */
		return;
	}
	http_call_later(x->server, &h->later);
}

static void h1_send_end(struct http_exchange *x)
{
	h1_send_trailers(x, NULL, 0);
}

static const char *h1_sni(const struct http_exchange *x)
{
	const struct h1 *h = (const struct h1 *)(const void *)x; /* its first member */

	static_assert(offsetof(struct h1, x) == 0, "x is not first");
	return h->c ? conn_sni(h->c) : "";
}

static bool h1_peer(const struct http_exchange *x, struct sockaddr_storage *to)
{
	const struct h1 *h = (const struct h1 *)(const void *)x;

	return h->c && conn_peer(h->c, to);
}

static struct conn *h1_take_conn(struct http_exchange *x, const struct conn_ops *ops, void *owner)
{
	struct h1 *h = h1_of(x);
	struct conn *c = h->c;

	assert(h->answer == H1_HEAD_SENT && h->state == H1_ACTIVE);
	http_trust(x);
	h1_go(h, H1_LAST);
	h->c = NULL;
	conn_set_owner(c, ops, owner);
	conn_await(c, false);
	conn_timeout(c, 0);
	conn_resume(c);
	http_call_later(x->server, &h->later); /* frees h */
	return c;
}

static struct duplex *h1_take_duplex(struct http_exchange *x, const struct duplex_ops *ops,
				     void *owner)
{
	struct duplex *d = duplex_conn_new(ops, owner);

	duplex_conn_is(d, h1_take_conn(x, &duplex_conn_ops, d));
	return d;
}

const struct http_carrier h1_carrier = {
	.version = 1,
	.read_stop = h1_read_stop,
	.read_more = h1_read_more,
	.send_continue = h1_send_continue,
	.send_head = h1_send_head,
	.send_body = h1_send_body,
	.send_end = h1_send_end,
	.send_trailers = h1_send_trailers,
	.abort = h1_abort,
	.cork = h1_cork,
	.sni = h1_sni,
	.peer = h1_peer,
	.take_duplex = h1_take_duplex,
};
