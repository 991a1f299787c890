/* upstream_h1_send.c - requests over HTTP/1.1: their head, and how their body is framed. */

#include "net/upstream_h1.h"

#include <string.h>

static bool upstream_h1_put_headers(struct upstream_h1 *u, struct buf *b,
				    const struct http_header *headers, size_t n)
{
	bool upgrade = false;

	for (size_t i = 0; i < n; i++) {
		if (!http1_put_header(b, headers[i].name, headers[i].value))
			return false;
		upgrade = upgrade || http_name_is(headers[i].name, "upgrade");
	}
	if (upgrade)
		buf_adds(b, "connection: upgrade\r\n");
	u->upgrades = upgrade;
	return true;
}

bool upstream_h1_request(struct upstream *base, const char *method, const char *target,
			 const struct http_header *headers, size_t n, int64_t length)
{
	struct upstream_h1 *u = upstream_h1_of(base);
	static struct buf b; /* there is one loop, and nothing of it is needed afterwards */

	assert(u->state == UPSTREAM_H1_FREE);
	buf_clear(&b);
	http1_put_request(&b, method, target);
	if (!upstream_h1_put_headers(u, &b, headers, n))
		return false;
	if (length >= 0)
		http1_put_length(&b, (uint64_t)length);
	else if (length == UPSTREAM_CHUNKED)
		buf_adds(&b, "transfer-encoding: chunked\r\n");
	http1_put_end(&b);
	u->no_body = !strcmp(method, "HEAD");
	u->chunked = length == UPSTREAM_CHUNKED;
	u->left = length > 0 ? length : 0;
	u->has_body = u->chunked || u->left;
	u->request_done = !u->has_body;
	u->answered = u->rest.stopped = u->full = u->keep = false;
	upstream_h1_go(u, UPSTREAM_H1_ASKED);
	buf_clear(&u->held);
	if (u->has_body)
		buf_add(&u->held, b.data, b.size);
	else
		conn_write(u->c, b.data, b.size);
	upstream_h1_set_turn(u);
	return true;
}

static void upstream_h1_write(struct upstream_h1 *u, const void *data, size_t size)
{
	if (u->held.size) {
		buf_add(&u->held, data, size);
		upstream_h1_push(&u->base);
	} else {
		conn_write(u->c, data, size);
	}
}

void upstream_h1_push(struct upstream *base)
{
	struct upstream_h1 *u = upstream_h1_of(base);

	conn_write(u->c, u->held.data, u->held.size);
	buf_free(&u->held);
}

bool upstream_h1_send_body(struct upstream *base, const void *data, size_t size)
{
	struct upstream_h1 *u = upstream_h1_of(base);

	if (u->chunked) {
		autobuf struct buf b = { 0 };

		http1_put_chunk(&b, data, size);
		upstream_h1_write(u, b.data, b.size);
	} else {
		assert((int64_t)size <= u->left);
		u->left -= (int64_t)size;
		upstream_h1_write(u, data, size);
	}
	u->full = conn_full(u->c);
	return !u->full;
}

void upstream_h1_send_trailers(struct upstream *base, const struct http_header *fields, size_t n)
{
	struct upstream_h1 *u = upstream_h1_of(base);
	autobuf struct buf b = { 0 };

	if (u->chunked && !u->request_done) {
		http1_put_trailers(&b, fields, n);
		upstream_h1_write(u, b.data, b.size);
	}
	assert(u->chunked || !u->left);
	u->request_done = true;
	upstream_h1_set_turn(u);
}
