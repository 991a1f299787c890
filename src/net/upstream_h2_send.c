/* upstream_h2_send.c - requests on the streams of a session: head, body, trailers and their end. */

#include <stdio.h>
#include <string.h>

#include "net/upstream_h2.h"

#define H2_PSEUDO 4

struct upstream_h2_block {
	nghttp2_nv at[LIMIT_HTTP_HEADERS + H2_PSEUDO + 8];
	size_t n;
};

/* False: no message may carry it. */
static bool upstream_h2_put(struct upstream_h2_block *b, const char *name, const char *value)
{
	/* nghttp2 copies both, and its type is older than const. */
	nghttp2_nv field = { (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
			     strlen(value), NGHTTP2_NV_FLAG_NONE };

	if (b->n == ARRAY_SIZE(b->at) || !nghttp2_check_header_name(field.name, field.namelen) ||
	    !nghttp2_check_header_value(field.value, field.valuelen))
		return false;
	b->at[b->n++] = field;
	return true;
}

static bool upstream_h2_put_all(struct upstream_h2_block *b, const struct http_header *headers,
				size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(headers[i].name, "upgrade"))
			continue;
		if (!upstream_h2_put(b, headers[i].name, headers[i].value))
			return false;
	}
	return true;
}

static bool upstream_h2_send_head(struct upstream_h2 *u, const struct upstream_h2_block *b)
{
	nghttp2_data_provider body = { .read_callback = upstream_h2_read };
	int32_t id =
		nghttp2_submit_request(u->s->h2, NULL, b->at, b->n, u->no_body ? NULL : &body, u);

	if (id > 0)
		u->id = id;
	return id > 0;
}

static bool upstream_h2_request(struct upstream *base, const char *method, const char *target,
				const struct http_header *headers, size_t n, int64_t length)
{
	struct upstream_h2 *u = upstream_h2_of(base);
	struct upstream_h2_block block = { .n = 0 };
	char digits[24];
	bool fit;

	assert(u->state == UPSTREAM_H2_FREE && n && !strcmp(headers[0].name, "host"));
	fit = upstream_h2_put(&block, ":method", method) &&
	      upstream_h2_put(&block, ":scheme", u->s->tls ? "https" : "http") &&
	      upstream_h2_put(&block, ":authority", headers[0].value) &&
	      upstream_h2_put(&block, ":path", target) &&
	      upstream_h2_put_all(&block, headers + 1, n - 1);
	snprintf(digits, sizeof(digits), "%lld", (long long)length);
	if (!fit || (length >= 0 && !upstream_h2_put(&block, "content-length", digits)))
		return false;
	u->no_body = length == UPSTREAM_NO_BODY || !length;
	u->request_done = u->no_body;
	upstream_h2_go(u, UPSTREAM_H2_ASKED);
	upstream_h2_moved(u);
	upstream_h2_set_turn(u);
	if (!u->s->c || u->s->ending || !upstream_h2_send_head(u, &block)) {
		upstream_h2_lose(u, UPSTREAM_UNSEEN, "the connection to the application ended");
		session_todo(u);
	} else if (u->no_body) {
		session_soon(u->s);
	}
	return true;
}

static void upstream_h2_push(struct upstream *base)
{
	session_soon(upstream_h2_of(base)->s);
}

/* nghttp2 learns that there is something to be read again. */
static void upstream_h2_wake(struct upstream_h2 *u)
{
	if (u->deferred && u->id)
		(void)nghttp2_session_resume_data(u->s->h2, u->id);
	u->deferred = false;
	session_soon(u->s);
}

static bool upstream_h2_send_body(struct upstream *base, const void *data, size_t size)
{
	struct upstream_h2 *u = upstream_h2_of(base);

	/* A server that has answered may want no more of it. */
	if (!u->id || u->no_body)
		return true;
	buf_add(&u->out, data, size);
	upstream_h2_set_turn(u);
	upstream_h2_wake(u);
	u->full = u->out.size >= LIMIT_HTTP_BUFFER;
	return !u->full;
}

static void upstream_h2_send_trailers(struct upstream *base, const struct http_header *fields,
				      size_t n)
{
	struct upstream_h2 *u = upstream_h2_of(base);

	if (u->request_done)
		return;
	for (size_t i = 0; i < n; i++) {
		buf_add(&u->out_trailers, fields[i].name, strlen(fields[i].name) + 1);
		buf_add(&u->out_trailers, fields[i].value, strlen(fields[i].value) + 1);
	}
	u->request_done = true;
	upstream_h2_set_turn(u);
	upstream_h2_wake(u);
}

/* Behind the last of the body.  A field that may not be written is left out. */
static void upstream_h2_submit_trailers(struct upstream_h2 *u)
{
	const char *at = (const char *)u->out_trailers.data, *end = at + u->out_trailers.size;
	struct upstream_h2_block block = { .n = 0 };

	while (at < end) {
		const char *value = at + strlen(at) + 1;

		(void)upstream_h2_put(&block, at, value);
		at = value + strlen(value) + 1;
	}
	(void)nghttp2_submit_trailer(u->s->h2, u->id, block.at, block.n);
}

ssize_t upstream_h2_read(nghttp2_session *h2, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
			 nghttp2_data_source *source, void *arg)
{
	struct upstream_h2 *u = nghttp2_session_get_stream_user_data(h2, id);
	size_t n;

	(void)source, (void)arg;
	if (!u)
		return NGHTTP2_ERR_DEFERRED; /* its owner gave it up, and the reset is on its way */
	n = u->out.size < room ? u->out.size : room;
	if (!n && !u->request_done) {
		u->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (n) {
		memcpy(to, u->out.data, n);
		buf_drop(&u->out, n);
	}
	upstream_h2_moved(u);
	upstream_h2_set_turn(u);
	if (u->full && u->out.size <= LIMIT_HTTP_BUFFER / 4)
		session_todo(u);
	if (u->out.size || !u->request_done)
		return (ssize_t)n;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (u->out_trailers.size) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		upstream_h2_submit_trailers(u);
	}
	buf_free(&u->out);
	return (ssize_t)n;
}

static void upstream_h2_read_more(struct upstream *base)
{
	struct upstream_h2 *u = upstream_h2_of(base);

	if (!u->rest.stopped || u->resume)
		return;
	u->resume = true;
	session_todo(u);
}

static bool upstream_h2_answered(const struct upstream *base)
{
	return upstream_h2_of_const(base)->answered;
}

static void upstream_h2_limit(struct upstream *base, int64_t silence_ms)
{
	struct upstream_h2 *u = upstream_h2_of(base);

	u->limit_ms = silence_ms;
	upstream_h2_moved(u);
	if (silence_ms)
		session_watch(u->s, silence_ms);
}

static bool upstream_h2_timed_out(const struct upstream *base)
{
	return upstream_h2_of_const(base)->timed_out;
}

static void upstream_h2_close(struct upstream *base)
{
	struct upstream_h2 *u = upstream_h2_of(base);
	bool failed = u->state == UPSTREAM_H2_FAILED;

	if (u->state == UPSTREAM_H2_CLOSING)
		return;
	upstream_h2_go(u, UPSTREAM_H2_CLOSING);
	if (!failed)
		upstream_h2_let_go(u);
}

const struct upstream_carrier upstream_h2_carrier = {
	.request = upstream_h2_request,
	.push = upstream_h2_push,
	.send_body = upstream_h2_send_body,
	.send_trailers = upstream_h2_send_trailers,
	.read_more = upstream_h2_read_more,
	.answered = upstream_h2_answered,
	.limit = upstream_h2_limit,
	.timed_out = upstream_h2_timed_out,
	.close = upstream_h2_close,
};
