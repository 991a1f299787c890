#include "net/upstream.h"

#include <stdlib.h>
#include <string.h>

#include "net/upstream_parts.h"

static const struct conn_ops upstream_conn_ops;

static void upstream_free(struct upstream *u)
{
	http1_free(u->parser);
	buf_free(&u->rest.bytes);
	buf_free(&u->held);
	free(u);
}

static const uint8_t upstream_may_go[UPSTREAM_NUM_STATES] = {
	[UPSTREAM_FREE] = 1U << UPSTREAM_ASKED | 1U << UPSTREAM_FAILED | 1U << UPSTREAM_CLOSING,
	[UPSTREAM_ASKED] = 1U << UPSTREAM_ANSWERED | 1U << UPSTREAM_FAILED | 1U << UPSTREAM_CLOSING,
	[UPSTREAM_ANSWERED] = 1U << UPSTREAM_FREE | 1U << UPSTREAM_SPENT | 1U << UPSTREAM_FAILED |
			      1U << UPSTREAM_CLOSING,
	[UPSTREAM_SPENT] = 1U << UPSTREAM_FAILED | 1U << UPSTREAM_CLOSING,
	[UPSTREAM_FAILED] = 1U << UPSTREAM_CLOSING,
};

void upstream_go(struct upstream *u, enum upstream_state to)
{
	assert(upstream_may_go[u->state] & 1U << to);
	u->state = to;
}

static bool upstream_is_over(const struct upstream *u)
{
	return u->state == UPSTREAM_FAILED || u->state == UPSTREAM_CLOSING;
}

void upstream_set_turn(struct upstream *u)
{
	if (u->c)
		conn_await(u->c, upstream_busy(u) && u->request_done && !u->rest.stopped);
}

static void upstream_fail(struct upstream *u, const char *why)
{
	if (upstream_is_over(u))
		return;
	upstream_go(u, UPSTREAM_FAILED);
	u->ops->failed(u, why);
	conn_close(u->c);
}

struct upstream *upstream_new(uv_loop_t *loop, int fd, const struct upstream_ops *ops, void *owner,
			      struct err *e)
{
	struct upstream *u = xcalloc(1, sizeof(*u));

	u->ops = ops;
	u->owner = owner;
	u->c = conn_new(loop, fd, NULL, &upstream_conn_ops, u, e);
	if (u->c)
		return u;
	free(u);
	return NULL;
}

void *upstream_owner(const struct upstream *u)
{
	return u->owner;
}

void upstream_set_owner(struct upstream *u, const struct upstream_ops *ops, void *owner)
{
	assert(u->state == UPSTREAM_FREE);
	u->ops = ops;
	u->owner = owner;
}

/* The answer is complete.  Bytes after it answer nothing that was asked, so the connection is not
 * used again. */
static void upstream_end(struct upstream *u, bool more)
{
	bool again = u->keep && u->request_done && !more && !u->eof;
	struct http1 *parser = u->parser; /* holds the trailers */

	u->parser = NULL;
	upstream_go(u, again ? UPSTREAM_FREE : UPSTREAM_SPENT);
	upstream_set_turn(u);
	u->ops->end(u);
	http1_free(parser);
}

static void upstream_got_head(struct upstream *u)
{
	const struct http_head *h = http1_head(u->parser);

	if (h->status / 100 != 1 || h->status == 101) {
		upstream_go(u, UPSTREAM_ANSWERED);
		u->keep = h->keep_alive && h->status != 101;
		u->ops->head(u, h);
	} else if (u->ops->interim) {
		u->ops->interim(u, h);
	}
}

static void upstream_got_body(struct upstream *u, const uint8_t *data, size_t size)
{
	size_t taken = u->ops->body(u, data, size);

	if (taken < size && u->state != UPSTREAM_CLOSING) {
		http_rest_keep(&u->rest, data + taken, size - taken);
		/* An error that follows the bytes would overtake them, so it is not read either. */
		conn_pause(u->c);
		upstream_set_turn(u);
	}
}

static void upstream_got_trailers(struct upstream *u)
{
	size_t n;
	const struct http_header *fields = http1_trailers(u->parser, &n);

	if (u->state == UPSTREAM_ANSWERED && u->ops->trailers)
		u->ops->trailers(u, fields, n);
}

static size_t upstream_parse(struct upstream *u, const uint8_t *data, size_t size)
{
	const uint8_t *body;
	size_t at = 0, used, n;

	while (u->c && upstream_busy(u) && !u->rest.stopped) {
		switch (http1_next(u->parser, data + at, size - at, &used, &body, &n)) {
		case HTTP1_MORE:
			return at + used;
		case HTTP1_HEAD:
			upstream_got_head(u);
			break;
		case HTTP1_BODY:
			upstream_got_body(u, body, n);
			break;
		case HTTP1_TRAILERS:
			upstream_got_trailers(u);
			break;
		case HTTP1_END:
			if (u->state == UPSTREAM_ANSWERED)
				upstream_end(u, at + used < size || u->more);
			break;
		case HTTP1_UPGRADE: /* nobody has taken the connection yet */
			return at;
		case HTTP1_BAD:
			upstream_fail(u, http1_error(u->parser));
			break;
		}
		at += used;
	}
	return at;
}

static size_t upstream_run(struct upstream *u, const uint8_t *data, size_t size)
{
	size_t used;

	u->parsing = true;
	used = upstream_parse(u, data, size);
	u->parsing = false;
	if (!u->c)
		upstream_free(u);
	return used;
}

static size_t upstream_data(struct conn *c, const uint8_t *data, size_t size)
{
	struct upstream *u = conn_owner(c);

	u->answered = true;
	if (!upstream_busy(u)) {
		upstream_fail(u, "bytes came without a request");
		return size;
	}
	return upstream_run(u, data, size);
}

static const char *upstream_cut_short(const struct upstream *u)
{
	if (u->state == UPSTREAM_ASKED && !u->answered)
		return "the application closed the connection without an answer";
	return upstream_busy(u)
		       ? "the application closed the connection before its answer was whole"
		       : "the connection ended";
}

static void upstream_on_end(struct conn *c)
{
	struct upstream *u = conn_owner(c);

	u->eof = true;
	if (upstream_is_over(u) || u->rest.stopped)
		return; /* if stopped, this is called again when the owner took the rest */
	if (u->state == UPSTREAM_ANSWERED && http1_finish(u->parser))
		upstream_end(u, false);
	else
		upstream_fail(u, upstream_cut_short(u));
}

static void upstream_resumed(struct conn *c)
{
	struct upstream *u = conn_owner(c);
	autobuf struct buf again = { 0 };

	if (!http_rest_go_on(&u->rest, &again))
		return;
	if (again.size)
		upstream_got_body(u, again.data, again.size);
	u->more = conn_kept(c) > 0;
	u->parsing = true;
	(void)upstream_parse(u, (const uint8_t *)"", 0);
	u->parsing = u->more = false;
	upstream_set_turn(u);
	if (!u->c)
		upstream_free(u);
	else if (u->eof)
		upstream_on_end(c);
}

static void upstream_drained(struct conn *c)
{
	struct upstream *u = conn_owner(c);

	if (!u->full || !upstream_busy(u))
		return;
	u->full = false;
	u->ops->writable(u);
}

static void upstream_closed(struct conn *c)
{
	struct upstream *u = conn_owner(c);

	/* Who answers and closes before it has read the request resets the connection. */
	if (u->state == UPSTREAM_ANSWERED && u->has_body && !conn_timed_out(c) &&
	    http1_finish(u->parser))
		upstream_end(u, false);
	if (!upstream_is_over(u)) {
		upstream_go(u, UPSTREAM_FAILED);
		u->ops->failed(u, upstream_cut_short(u));
	}
	u->ops->closed(u);
	upstream_free(u);
}

static const struct conn_ops upstream_conn_ops = {
	.data = upstream_data,
	.resumed = upstream_resumed,
	.end = upstream_on_end,
	.drained = upstream_drained,
	.closed = upstream_closed,
};

void upstream_read_more(struct upstream *u)
{
	if (u->rest.stopped)
		conn_resume(u->c);
}

bool upstream_answered(const struct upstream *u)
{
	return u->answered;
}

bool upstream_reusable(const struct upstream *u)
{
	return u->state == UPSTREAM_FREE && !conn_is_closing(u->c);
}

bool upstream_is_quiet(const struct upstream *u)
{
	return upstream_reusable(u) && conn_is_quiet(u->c);
}

void upstream_limit(struct upstream *u, int64_t silence_ms)
{
	conn_pace_in(u->c, silence_ms, 0);
	conn_pace_out(u->c, silence_ms, 0);
}

bool upstream_timed_out(const struct upstream *u)
{
	return conn_timed_out(u->c);
}

void upstream_timeout(struct upstream *u, int64_t ms)
{
	conn_timeout(u->c, ms);
}

void upstream_close(struct upstream *u)
{
	if (u->state != UPSTREAM_CLOSING)
		upstream_go(u, UPSTREAM_CLOSING);
	conn_close(u->c);
}

struct conn *upstream_take_conn(struct upstream *u, const struct conn_ops *ops, void *owner)
{
	struct conn *c = u->c;

	conn_set_owner(c, ops, owner);
	conn_await(c, false);
	conn_timeout(c, 0);
	conn_resume(c);
	u->c = NULL;
	if (!u->parsing)
		upstream_free(u);
	return c;
}
