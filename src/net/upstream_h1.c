#include "net/upstream_h1.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "net/parsers.h"

static const struct conn_ops upstream_h1_conn_ops;

static void upstream_h1_free(struct upstream_h1 *u)
{
	parser_give(u->parser);
	buf_free(&u->rest.bytes);
	buf_free(&u->held);
	free(u);
}

static const uint8_t upstream_h1_may_go[UPSTREAM_H1_NUM_STATES] = {
	[UPSTREAM_H1_FREE] =
		1U << UPSTREAM_H1_ASKED | 1U << UPSTREAM_H1_FAILED | 1U << UPSTREAM_H1_CLOSING,
	[UPSTREAM_H1_ASKED] =
		1U << UPSTREAM_H1_ANSWERED | 1U << UPSTREAM_H1_FAILED | 1U << UPSTREAM_H1_CLOSING,
	[UPSTREAM_H1_ANSWERED] = 1U << UPSTREAM_H1_FREE | 1U << UPSTREAM_H1_SPENT |
				 1U << UPSTREAM_H1_FAILED | 1U << UPSTREAM_H1_CLOSING,
	[UPSTREAM_H1_SPENT] = 1U << UPSTREAM_H1_FAILED | 1U << UPSTREAM_H1_CLOSING,
	[UPSTREAM_H1_FAILED] = 1U << UPSTREAM_H1_CLOSING,
};

void upstream_h1_go(struct upstream_h1 *u, enum upstream_h1_state to)
{
	assert(upstream_h1_may_go[u->state] & 1U << to);
	u->state = to;
}

static bool upstream_h1_is_over(const struct upstream_h1 *u)
{
	return u->state == UPSTREAM_H1_FAILED || u->state == UPSTREAM_H1_CLOSING;
}

void upstream_h1_set_turn(struct upstream_h1 *u)
{
	if (u->c)
		conn_await(u->c, upstream_h1_busy(u) && u->request_done && !u->rest.stopped);
}

static void upstream_h1_fail(struct upstream_h1 *u, const char *why)
{
	if (upstream_h1_is_over(u))
		return;
	upstream_h1_go(u, UPSTREAM_H1_FAILED);
	u->base.ops->failed(&u->base, why);
	conn_close(u->c);
}

static const struct upstream_carrier upstream_h1_carrier;

struct upstream *upstream_over(struct conn *c, const struct upstream_ops *ops, void *owner)
{
	struct upstream_h1 *u = xcalloc(1, sizeof(*u));

	u->base = (struct upstream){ .carrier = &upstream_h1_carrier, .ops = ops, .owner = owner };
	u->c = c;
	conn_set_owner(c, &upstream_h1_conn_ops, u);
	return &u->base;
}

/* The answer is complete.  Bytes after it answer nothing that was asked, so the connection is not
 * used again. */
static void upstream_h1_end(struct upstream_h1 *u, bool more)
{
	bool again = u->keep && u->request_done && !more && !u->eof;
	struct http1 *parser = u->parser; /* holds the trailers */

	u->parser = NULL;
	upstream_h1_go(u, again ? UPSTREAM_H1_FREE : UPSTREAM_H1_SPENT);
	upstream_h1_set_turn(u);
	u->base.ops->end(&u->base);
	parser_give(parser);
}

static void upstream_h1_got_head(struct upstream_h1 *u)
{
	const struct http_head *h = http1_head(u->parser);

	if (h->status / 100 != 1 || h->status == 101) {
		upstream_h1_go(u, UPSTREAM_H1_ANSWERED);
		u->keep = h->keep_alive && !u->upgrades;
		u->base.ops->head(&u->base, h);
	} else if (u->base.ops->interim) {
		u->base.ops->interim(&u->base, h);
	}
}

static void upstream_h1_got_body(struct upstream_h1 *u, const uint8_t *data, size_t size)
{
	size_t taken = u->base.ops->body(&u->base, data, size);

	if (taken < size && u->state != UPSTREAM_H1_CLOSING) {
		http_rest_keep(&u->rest, data + taken, size - taken);
		/* An error that follows the bytes would overtake them, so it is not read either. */
		conn_pause(u->c);
		upstream_h1_set_turn(u);
	}
}

static void upstream_h1_got_trailers(struct upstream_h1 *u)
{
	size_t n;
	const struct http_header *fields = http1_trailers(u->parser, &n);

	if (u->state == UPSTREAM_H1_ANSWERED && u->base.ops->trailers)
		u->base.ops->trailers(&u->base, fields, n);
}

static size_t upstream_h1_parse(struct upstream_h1 *u, const uint8_t *data, size_t size)
{
	const uint8_t *body;
	size_t at = 0, used, n;

	if (!u->parser && size) {
		u->parser = parser_take(false);
		http1_expect_no_body(u->parser, u->no_body);
	}
	while (u->c && u->parser && upstream_h1_busy(u) && !u->rest.stopped) {
		switch (http1_next(u->parser, data + at, size - at, &used, &body, &n)) {
		case HTTP1_MORE:
			return at + used;
		case HTTP1_HEAD:
			upstream_h1_got_head(u);
			break;
		case HTTP1_BODY:
			upstream_h1_got_body(u, body, n);
			break;
		case HTTP1_TRAILERS:
			upstream_h1_got_trailers(u);
			break;
		case HTTP1_END:
			if (u->state == UPSTREAM_H1_ANSWERED)
				upstream_h1_end(u, at + used < size || u->more);
			break;
		case HTTP1_UPGRADE: /* nobody has taken the connection yet */
			return at;
		case HTTP1_BAD:
			upstream_h1_fail(u, http1_error(u->parser));
			break;
		}
		at += used;
	}
	return at;
}

static size_t upstream_h1_run(struct upstream_h1 *u, const uint8_t *data, size_t size)
{
	size_t used;

	u->parsing = true;
	used = upstream_h1_parse(u, data, size);
	u->parsing = false;
	if (!u->c)
		upstream_h1_free(u);
	return used;
}

/* A server that knows HTTP/2 alone begins with its SETTINGS, whatever it was asked. */
static bool upstream_h1_is_http2(const uint8_t *data, size_t size)
{
	static const uint8_t no_stream[4];

	return size >= 9 && !data[0] && data[3] == NGHTTP2_SETTINGS && !data[4] &&
	       !memcmp(data + 5, no_stream, sizeof(no_stream));
}

static size_t upstream_h1_data(struct conn *c, const uint8_t *data, size_t size)
{
	struct upstream_h1 *u = conn_owner(c);
	bool first = !u->answered;

	u->answered = true;
	if (!upstream_h1_busy(u)) {
		upstream_h1_fail(u, "bytes came without a request");
		return size;
	}
	if (first && upstream_h1_is_http2(data, size)) {
		upstream_h1_fail(u, "the application speaks HTTP/2 alone, which "
				    "X-aws-proxy-force-h2: true asks for");
		return size;
	}
	return upstream_h1_run(u, data, size);
}

static const char *upstream_h1_cut_short(const struct upstream_h1 *u)
{
	if (u->state == UPSTREAM_H1_ASKED && !u->answered)
		return "the application closed the connection without an answer";
	return upstream_h1_busy(u)
		       ? "the application closed the connection before its answer was whole"
		       : "the connection ended";
}

static void upstream_h1_on_end(struct conn *c)
{
	struct upstream_h1 *u = conn_owner(c);

	u->eof = true;
	if (upstream_h1_is_over(u) || u->rest.stopped)
		return; /* if stopped, this is called again when the owner took the rest */
	if (u->state == UPSTREAM_H1_ANSWERED && http1_finish(u->parser))
		upstream_h1_end(u, false);
	else
		upstream_h1_fail(u, upstream_h1_cut_short(u));
}

static void upstream_h1_resumed(struct conn *c)
{
	struct upstream_h1 *u = conn_owner(c);
	autobuf struct buf again = { 0 };

	if (!http_rest_go_on(&u->rest, &again))
		return;
	if (again.size)
		upstream_h1_got_body(u, again.data, again.size);
	u->more = conn_kept(c) > 0;
	u->parsing = true;
	(void)upstream_h1_parse(u, (const uint8_t *)"", 0);
	u->parsing = u->more = false;
	upstream_h1_set_turn(u);
	if (!u->c)
		upstream_h1_free(u);
	else if (u->eof)
		upstream_h1_on_end(c);
}

static void upstream_h1_drained(struct conn *c)
{
	struct upstream_h1 *u = conn_owner(c);

	if (!u->full || !upstream_h1_busy(u))
		return;
	u->full = false;
	u->base.ops->writable(&u->base);
}

static void upstream_h1_closed(struct conn *c)
{
	struct upstream_h1 *u = conn_owner(c);

	/* Who answers and closes before it has read the request resets the connection. */
	if (u->state == UPSTREAM_H1_ANSWERED && u->has_body && !conn_timed_out(c) &&
	    http1_finish(u->parser))
		upstream_h1_end(u, false);
	if (!upstream_h1_is_over(u)) {
		upstream_h1_go(u, UPSTREAM_H1_FAILED);
		u->base.ops->failed(&u->base, upstream_h1_cut_short(u));
	}
	u->base.ops->closed(&u->base);
	upstream_h1_free(u);
}

static const struct conn_ops upstream_h1_conn_ops = {
	.data = upstream_h1_data,
	.resumed = upstream_h1_resumed,
	.end = upstream_h1_on_end,
	.drained = upstream_h1_drained,
	.closed = upstream_h1_closed,
};

static void upstream_h1_read_more(struct upstream *base)
{
	struct upstream_h1 *u = upstream_h1_of(base);

	if (u->rest.stopped)
		conn_resume(u->c);
}

static bool upstream_h1_answered(const struct upstream *base)
{
	const struct upstream_h1 *u = upstream_h1_of_const(base);

	return u->answered;
}

static bool upstream_h1_reusable(const struct upstream *base)
{
	const struct upstream_h1 *u = upstream_h1_of_const(base);

	return u->state == UPSTREAM_H1_FREE && !conn_is_closing(u->c);
}

static bool upstream_h1_is_quiet(const struct upstream *base)
{
	const struct upstream_h1 *u = upstream_h1_of_const(base);

	return upstream_h1_reusable(base) && conn_is_quiet(u->c);
}

static void upstream_h1_limit(struct upstream *base, int64_t silence_ms)
{
	struct upstream_h1 *u = upstream_h1_of(base);

	conn_pace_in(u->c, silence_ms, 0);
	conn_pace_out(u->c, silence_ms, 0);
}

static bool upstream_h1_timed_out(const struct upstream *base)
{
	const struct upstream_h1 *u = upstream_h1_of_const(base);

	return conn_timed_out(u->c);
}

static void upstream_h1_timeout(struct upstream *base, int64_t ms)
{
	struct upstream_h1 *u = upstream_h1_of(base);

	conn_timeout(u->c, ms);
}

static void upstream_h1_close(struct upstream *base)
{
	struct upstream_h1 *u = upstream_h1_of(base);

	if (u->state != UPSTREAM_H1_CLOSING)
		upstream_h1_go(u, UPSTREAM_H1_CLOSING);
	conn_close(u->c);
}

static struct conn *upstream_h1_take_conn(struct upstream *base, const struct conn_ops *ops,
					  void *owner)
{
	struct upstream_h1 *u = upstream_h1_of(base);
	struct conn *c = u->c;

	conn_set_owner(c, ops, owner);
	conn_await(c, false);
	conn_timeout(c, 0);
	conn_resume(c);
	u->c = NULL;
	if (!u->parsing)
		upstream_h1_free(u);
	return c;
}

static const struct upstream_carrier upstream_h1_carrier = {
	.request = upstream_h1_request,
	.push = upstream_h1_push,
	.send_body = upstream_h1_send_body,
	.send_trailers = upstream_h1_send_trailers,
	.read_more = upstream_h1_read_more,
	.answered = upstream_h1_answered,
	.reusable = upstream_h1_reusable,
	.is_quiet = upstream_h1_is_quiet,
	.limit = upstream_h1_limit,
	.timed_out = upstream_h1_timed_out,
	.timeout = upstream_h1_timeout,
	.close = upstream_h1_close,
	.take_conn = upstream_h1_take_conn,
};
