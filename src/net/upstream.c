#include "net/upstream.h"

#include <stdlib.h>
#include <string.h>

#include "net/http_rest.h"

/* What the connection is doing; the right column is where it may go (upstream_go asserts it).
 *
 *   FREE       a request may be sent                          ASKED, FAILED, CLOSING
 *   ASKED      the final answer's head has not come yet       ANSWERED, FAILED, CLOSING
 *   ANSWERED   its body follows, or it was a 101              FREE, SPENT, FAILED, CLOSING
 *   SPENT      the answer is complete, no request may follow  FAILED, CLOSING
 *   FAILED     `failed` was called                            CLOSING
 *   CLOSING    the owner called upstream_close                - */
enum upstream_state {
	UPSTREAM_FREE,
	UPSTREAM_ASKED,
	UPSTREAM_ANSWERED,
	UPSTREAM_SPENT,
	UPSTREAM_FAILED,
	UPSTREAM_CLOSING,
	UPSTREAM_NUM_STATES
};

struct upstream {
	enum upstream_state state;
	struct conn *c;       /* NULL: taken */
	struct http1 *parser; /* NULL: no request is under way */
	const struct upstream_ops *ops;
	void *owner; /* borrowed */
	struct http_rest rest;
	int64_t left;      /* of a request body with a length */
	bool parsing;      /* a callback is running, so freeing waits until it returns */
	bool chunked;      /* how the request's body is framed */
	bool request_done; /* its last byte was queued */
	bool full;         /* the owner was told to wait for `writable` */
	bool answered;     /* a byte came since the request */
	bool keep;         /* the answer allows another request after it */
	bool eof;          /* the other side will send no more */
	bool more;         /* the connection holds bytes after those that are being parsed */
};

static const struct conn_ops upstream_conn_ops;

static void upstream_free(struct upstream *u)
{
	http1_free(u->parser);
	buf_free(&u->rest.bytes);
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

static void upstream_go(struct upstream *u, enum upstream_state to)
{
	assert(upstream_may_go[u->state] & 1U << to);
	u->state = to;
}

static bool upstream_busy(const struct upstream *u)
{
	return u->state == UPSTREAM_ASKED || u->state == UPSTREAM_ANSWERED;
}

static bool upstream_is_over(const struct upstream *u)
{
	return u->state == UPSTREAM_FAILED || u->state == UPSTREAM_CLOSING;
}

static void upstream_set_turn(struct upstream *u)
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

static bool upstream_put_headers(struct buf *b, const struct http_header *headers, size_t n)
{
	bool upgrade = false;

	for (size_t i = 0; i < n; i++) {
		if (!http1_put_header(b, headers[i].name, headers[i].value))
			return false;
		upgrade = upgrade || !strcmp(headers[i].name, "upgrade");
	}
	if (upgrade)
		buf_adds(b, "connection: upgrade\r\n");
	return true;
}

bool upstream_request(struct upstream *u, const char *method, const char *target,
		      const struct http_header *headers, size_t n, int64_t length)
{
	autobuf struct buf b = { 0 };

	assert(u->state == UPSTREAM_FREE);
	http1_put_request(&b, method, target);
	if (!upstream_put_headers(&b, headers, n))
		return false;
	if (length >= 0)
		buf_addf(&b, "content-length: %lld\r\n", (long long)length);
	else if (length == UPSTREAM_CHUNKED)
		buf_adds(&b, "transfer-encoding: chunked\r\n");
	http1_put_end(&b);
	u->parser = http1_new(false);
	http1_expect_no_body(u->parser, !strcmp(method, "HEAD"));
	u->chunked = length == UPSTREAM_CHUNKED;
	u->left = length > 0 ? length : 0;
	u->request_done = !u->chunked && !u->left;
	u->answered = u->rest.stopped = u->full = u->keep = false;
	upstream_go(u, UPSTREAM_ASKED);
	conn_write(u->c, b.data, b.size);
	upstream_set_turn(u);
	return true;
}

bool upstream_send_body(struct upstream *u, const void *data, size_t size)
{
	if (u->chunked) {
		autobuf struct buf b = { 0 };

		http1_put_chunk(&b, data, size);
		conn_write(u->c, b.data, b.size);
	} else {
		assert((int64_t)size <= u->left);
		u->left -= (int64_t)size;
		conn_write(u->c, data, size);
	}
	u->full = conn_full(u->c);
	return !u->full;
}

void upstream_send_end(struct upstream *u)
{
	if (u->chunked && !u->request_done)
		conn_write(u->c, "0\r\n\r\n", 5);
	assert(u->chunked || !u->left);
	u->request_done = true;
	upstream_set_turn(u);
}

/* The answer is complete.  Bytes after it answer nothing that was asked, so the connection is not
 * used again. */
static void upstream_end(struct upstream *u, bool more)
{
	bool again = u->keep && u->request_done && !more && !u->eof;

	http1_free(u->parser);
	u->parser = NULL;
	upstream_go(u, again ? UPSTREAM_FREE : UPSTREAM_SPENT);
	upstream_set_turn(u);
	u->ops->end(u);
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
		upstream_set_turn(u);
	}
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

static void upstream_on_end(struct conn *c)
{
	struct upstream *u = conn_owner(c);

	u->eof = true;
	if (upstream_is_over(u) || u->rest.stopped)
		return; /* if stopped, this is called again when the owner took the rest */
	if (u->state == UPSTREAM_ANSWERED && http1_finish(u->parser))
		upstream_end(u, false);
	else
		upstream_fail(u, upstream_busy(u)
					 ? "the connection ended before the answer was complete"
					 : "the connection ended");
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

	if (!upstream_is_over(u)) {
		upstream_go(u, UPSTREAM_FAILED);
		u->ops->failed(u, "the connection broke or was silent for too long");
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
