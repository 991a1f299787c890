#include "proxy/forward.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

#include "proxy/header_filter.h"
#include "proxy/pool.h"
#include "proxy/sessions.h"
#include "proxy/tunnel.h"

#define REPEATS_MOST 3 /* of a request that the application says it did not look at */

/* May this request be sent again, if a connection that was kept dies under it?  Its method must be
 * idempotent (RFC 9110 9.2.2), and it must have no body, since what was sent of one is gone. */
bool forward_repeatable(const struct http_head *head)
{
	static const char *const idempotent[] = {
		"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"
	};

	if (head->chunked || head->length > 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(idempotent); i++)
		if (!strcmp(head->method, idempotent[i]))
			return true;
	return false;
}

void forward_start(struct relay *r)
{
	const struct http_head *head = http_request(r->x);
	int64_t length = head->chunked ? UPSTREAM_CHUNKED : head->length;
	static struct filtered_headers headers; /* large, and of no use afterwards */

	if (!head->chunked && head->length < 0)
		length = UPSTREAM_NO_BODY;
	recording_sent(&r->record);
	header_filter_to_guest(head, r->id, buf_str(&r->offer.of_app), &headers);
	if (r->http2)
		header_filter_add_te(head, &headers);
	trace_put(&r->record.trace, &headers);
	if (!upstream_request(r->up, head->method, head->target, headers.at, headers.n, length)) {
		relay_refuse(r, REFUSAL_BAD_HEADER,
			     "the request has a header that cannot be passed on");
		return;
	}
	if (r->sent.size) {
		list_del(&r->in_heads);
		r->guest_full = !upstream_send_body(r->up, r->sent.data, r->sent.size);
	}
	if (r->ended) {
		upstream_send_trailers(r->up, r->trailers, r->n_trailers);
		return;
	}
	if (length != UPSTREAM_NO_BODY && length && !r->sent.size)
		list_add(&r->caller.proxy->heads, &r->in_heads);
	queue_arm(r->caller.proxy);
	http_read_more(r->x);
}

void forward_over(struct relay *r, struct conn *c, bool tls, bool http2)
{
	r->http2 = http2;
	if (http2)
		r->up = session_stream(
			sessions_add(r->caller.proxy, r->caller.route, r->caller.port, c, tls),
			&forward_ops, r);
	else
		r->up = upstream_over(c, &forward_ops, r);
	upstream_limit(r->up, r->caller.proxy->conf->clients.response_timeout_ms);
	forward_start(r);
}

static void forward_upgrade(struct relay *r, const struct http_head *h)
{
	struct filtered_headers headers;

	if (!http_upgrade_fits(r->x, h)) {
		relay_refuse(r, REFUSAL_BAD_UPGRADE,
			     http_request(r->x)->upgrade
				     ? "the application agrees to another upgrade than was asked"
				     : "the application upgrades a connection for which nobody "
				       "asked");
		return;
	}
	recording_answered(&r->record, 101);
	header_filter_to_client(h, r->id, r->offer.marker, &headers);
	http_send_head(r->x, 101, headers.at, headers.n, 0);
	tunnel_start(r->caller.proxy, r->caller.route, r->x, r->up, &r->record);
	r->up = NULL;
	relay_free(r);
}

/* An answer of HTTP/2 may have trailers behind a body of a stated length, and HTTP/1.1 has room for
 * them behind a chunked body alone. */
static int64_t forward_length(const struct relay *r, const struct http_head *h)
{
	bool room = h->length > 0 && r->http2 && http_version(r->x) == 1 &&
		    http_head_takes_trailers(http_request(r->x));

	return room ? -1 : h->length;
}

static void forward_pass_head(struct relay *r, const struct http_head *h)
{
	static struct filtered_headers headers; /* large, and of no use afterwards */

	probe_is_sure(r);
	recording_answered(&r->record, h->status);
	r->keep_alive_ms = pool_read_keep_alive(http_header(h, "keep-alive"));
	header_filter_to_client(h, r->id, false, &headers);
	r->headed = true;
	if (*h->reason)
		http_set_reason(r->x, h->reason);
	http_send_head(r->x, h->status, headers.at, headers.n, forward_length(r, h));
}

void forward_go_on(struct relay *r)
{
	const struct http_head *h = r->held;

	r->held = NULL;
	forward_pass_head(r, h);
	if (r->up)
		upstream_read_more(r->up);
}

static void forward_head(struct upstream *u, const struct http_head *h)
{
	struct relay *r = upstream_owner(u);

	control_touch(r->caller.proxy, r->caller.route);
	if (h->status == 101) {
		probe_is_sure(r);
		forward_upgrade(r, h);
	} else if (h->status == 400 && h->length && probe_is_due(r)) {
		r->held = h;
		probe_begin(r, "");
	} else {
		forward_pass_head(r, h);
	}
}

static size_t forward_body(struct upstream *u, const uint8_t *data, size_t size)
{
	struct relay *r = upstream_owner(u);

	if (r->client_full || r->held || throttle_waits(&r->throttle))
		return 0;
	control_touch(r->caller.proxy, r->caller.route);
	r->record.out += size;
	r->client_full = !http_send_body(r->x, data, size);
	throttle_pass(&r->throttle, r->caller.proxy, r->caller.route, size);
	return size;
}

static void forward_interim(struct upstream *u, const struct http_head *h)
{
	struct relay *r = upstream_owner(u);
	struct filtered_headers headers;

	control_touch(r->caller.proxy, r->caller.route);
	header_filter_to_client(h, r->id, false, &headers);
	http_send_interim(r->x, h->status, headers.at, headers.n);
}

static void forward_trailers(struct upstream *u, const struct http_header *fields, size_t n)
{
	struct relay *r = upstream_owner(u);

	r->answer_trailers = fields;
	r->n_answer_trailers = n;
}

static void forward_end(struct upstream *u)
{
	struct relay *r = upstream_owner(u);

	if (r->held) {
		probe_cancel(r);
		forward_go_on(r);
	}
	/* Each request that cannot be repeated opens a connection, so keeping all of them would
	 * fill the pool.  One that saw an upgrade may hold bytes of another protocol. */
	if (r->ended && upstream_reusable(u) && !http_request(r->x)->upgrade &&
	    (forward_repeatable(http_request(r->x)) ||
	     !pool_has(r->caller.route, r->caller.port))) {
		pool_put(r->caller.route, r->caller.port, u, r->keep_alive_ms);
		r->up = NULL;
	}
	relay_detach(r);
	http_send_trailers(r->x, r->answer_trailers, r->n_answer_trailers);
}

static void forward_writable(struct upstream *u)
{
	struct relay *r = upstream_owner(u);

	r->guest_full = false;
	if (!throttle_waits(&r->throttle))
		http_read_more(r->x);
}

/* May it be sent once more?  Nothing of its body is there any more once it was passed on. */
static bool forward_may_repeat(const struct relay *r, enum upstream_loss loss)
{
	if (r->headed || r->held || (r->body_passed && r->body_lost) || r->repeats >= REPEATS_MOST)
		return false;
	if (loss == UPSTREAM_UNSEEN)
		return true;
	return loss == UPSTREAM_UNSURE && r->reused && !upstream_answered(r->up) &&
	       forward_repeatable(http_request(r->x));
}

void forward_repeat(struct relay *r, const char *why)
{
	struct route *route = r->caller.route;

	if (r->repeats++ >= REPEATS_MOST) {
		relay_refuse(r, REFUSAL_BROKEN, "%s", why);
		return;
	}
	relay_detach(r);
	r->unsure_until_ms = 0;
	r->caller.route = route;
	caller_gate(&r->caller);
}

/* A client that speaks HTTP/2 hears what the application said; one that does not, gets a status. */
static void forward_is_reset(struct relay *r, uint32_t code)
{
	if (code == NGHTTP2_NO_ERROR || code > NGHTTP2_HTTP_1_1_REQUIRED)
		code = NGHTTP2_INTERNAL_ERROR; /* the answer is not whole */
	r->abort_code = code;
	r->reset = http_version(r->x) == 2;
}

/* No answer came, so perhaps the port speaks TLS. */
static void forward_doubts(struct relay *r, const char *why)
{
	if (r->held)
		r->why = why;
	else
		probe_begin(r, why);
	r->held = NULL;
}

static void forward_refuse_failed(struct relay *r, bool reset, const char *why)
{
	if (!r->headed)
		app_port_failed(probe_port(r));
	relay_refuse(r, reset ? REFUSAL_RESET : REFUSAL_BROKEN, "%s", why);
}

static void forward_failed(struct upstream *u, const char *why)
{
	struct relay *r = upstream_owner(u);
	enum upstream_loss loss = upstream_loss(u);

	if (upstream_timed_out(u)) {
		r->up = NULL;
		relay_refuse(r, REFUSAL_SILENT,
			     "the application neither took nor sent a byte for %lld seconds",
			     (long long)r->caller.proxy->conf->clients.response_timeout_ms / 1000);
		return;
	}
	/* The application closed a connection while it was used, or did not want the request. */
	if (forward_may_repeat(r, loss)) {
		if (!r->http2)
			pool_learn(r->caller.route, r->caller.port, r->kept_ms);
		r->up = NULL;
		forward_repeat(r, why);
		return;
	}
	r->answered = upstream_answered(u);
	if (loss == UPSTREAM_RESET)
		forward_is_reset(r, upstream_reset(u));
	r->up = NULL;
	if (r->held || (!r->headed && loss != UPSTREAM_RESET && probe_is_due(r)))
		forward_doubts(r, why);
	else
		forward_refuse_failed(r, loss == UPSTREAM_RESET, why);
}

static void forward_closed(struct upstream *u)
{
	(void)u;
}

const struct upstream_ops forward_ops = {
	.interim = forward_interim,
	.head = forward_head,
	.body = forward_body,
	.trailers = forward_trailers,
	.end = forward_end,
	.writable = forward_writable,
	.failed = forward_failed,
	.closed = forward_closed,
};
