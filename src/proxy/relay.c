#include "proxy/relay.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "base/log.h"
#include "base/spare.h"
#include "base/steady.h"

#define RELAY_REASON 160

static struct spare relay_spares = SPARE(sizeof(struct relay));

/* @reason is for somebody who holds a token; NULL: for nobody. */
static void relay_answer(struct http_exchange *x, const char *id, const struct auth_denial *denial,
			 const char *reason)
{
	struct http_header headers[4] = {
		{ "cache-control", "private, no-store" },
		{ "x-amzn-requestid", id },
	};
	size_t n = 2;

	if (*denial->text)
		headers[n++] = (struct http_header){ "content-type", "text/plain" };
	if (reason)
		headers[n++] = (struct http_header){ "x-doze-reason", reason };
	http_answer(x, denial->status, headers, n, denial->text, strlen(denial->text));
}

void relay_detach(struct relay *r)
{
	probe_cancel(r);
	r->held = NULL;
	throttle_leave(&r->throttle);
	caller_leave(&r->caller);
	list_del(&r->in_heads);
	if (r->up)
		upstream_close(r->up);
	r->up = NULL;
}

void relay_free(struct relay *r)
{
	recording_end(r->caller.proxy, &r->record);
	relay_detach(r);
	auth_offer_free(&r->offer);
	buf_free(&r->sent);
	spare_give(&relay_spares, r);
}

void relay_held(struct caller *c, bool for_microvm)
{
	recording_held(&container_of(c, struct relay, caller)->record, for_microvm);
}

static void relay_note(const struct relay *r, struct route *route, unsigned status,
		       const char *reason)
{
	const struct http_head *head = http_request(r->x);
	autobuf struct buf text = { 0 };

	buf_addf(&text, "the answer to %s %.100s ", head->method, head->target);
	if (r->headed || r->reset)
		buf_adds(&text, "was cut off");
	else if (r->answered)
		buf_adds(&text, "was refused");
	else
		buf_addf(&text, "was %u", status);
	buf_addf(&text, ": %s", reason);
	control_note(r->caller.proxy, route, buf_str(&text));
}

void relay_refuse(struct relay *r, enum refusal why, const char *text, ...)
{
	struct route *route = r->caller.route;
	unsigned status = refusal_status(why);
	char reason[RELAY_REASON];
	va_list args;

	va_start(args, text);
	vsnprintf(reason, sizeof(reason), text, args);
	va_end(args);
	log_debug("a request is refused endpoint=%s status=%u why=%s text=\"%s\"",
		  route->row.endpoint, status, refusal_name(why), reason);
	relay_note(r, route, status, reason);
	record_refuse(&r->record, why, reason);
	relay_detach(r);
	if (r->headed || r->reset)
		http_abort_code(r->x, r->abort_code);
	else
		relay_answer(r->x, r->id, &(struct auth_denial){ status, "", why }, reason);
}

static void relay_cut(struct link *l)
{
	struct relay *r = container_of(l, struct relay, caller.link);

	if (r->up || (r->probing && r->probed)) {
		relay_refuse(r, REFUSAL_GONE, "the microVM was suspended or ended meanwhile");
		return;
	}
	/* The application has seen nothing of the request. */
	probe_cancel(r);
	caller_cut(l);
}

static const struct auth_denial *relay_admit(struct relay *r, const struct http_head *head)
{
	const struct auth_denial *denial;
	char endpoint[UUID_SIZE];
	struct route *route = NULL;

	if (auth_endpoint(head->host, http_sni(r->x), r->caller.proxy->suffix, endpoint))
		route = route_find(&r->caller.proxy->routes, endpoint);
	if (!route)
		return &auth_unknown_host;
	denial = auth_check(head, &r->offer, &r->caller.proxy->keys, &route->row, steady_ms(),
			    &r->caller.port);
	if (!denial)
		r->caller.route = route;
	return denial;
}

/* Where the body of such a request ends and the other protocol begins, each reader decides for
 * himself, so it is none that may be passed on. */
static bool relay_upgrades_with_body(struct relay *r, const struct http_head *head)
{
	static const struct auth_denial denial = { 400, "An upgrade with a body is not served",
						   REFUSAL_UPGRADE_WITH_BODY };

	if (!head->upgrade || (!head->chunked && head->length <= 0))
		return false;
	record_refuse(&r->record, denial.why, denial.text);
	relay_detach(r);
	relay_answer(r->x, r->id, &denial, NULL);
	return true;
}

/* An upgrade of the connection is HTTP/1.1's alone. */
static bool relay_wants_http2(const struct http_head *head)
{
	const char *force = http_header(head, "x-aws-proxy-force-h2");

	return force && !strcmp(force, "true") && !head->upgrade;
}

/* There is bandwidth again. */
static void relay_goes_on(struct throttle *t)
{
	struct relay *r = container_of(t, struct relay, throttle);

	http_read_more(r->x);
	if (r->up && !r->client_full && !r->held)
		upstream_read_more(r->up);
}

static void relay_head(struct http_exchange *x)
{
	struct relay *r = spare_take(&relay_spares, sizeof(*r));
	const struct http_head *head = http_request(x);
	const struct auth_denial *denial;
	enum refusal limit;
	bool limited = false;

	r->x = x;
	r->abort_code = NGHTTP2_INTERNAL_ERROR;
	caller_init(&r->caller, http_server_arg(x), &forward_caller);
	r->caller.link.cut = relay_cut;
	list_init(&r->in_heads);
	throttle_init(&r->throttle, relay_goes_on);
	rand_draw_uuid(&record_random, r->id);
	http_set_user(x, r);
	recording_begin(&r->record, head, http_version(x));
	auth_offer_read(head, &r->offer);
	denial = relay_admit(r, head);
	if (denial) {
		record_refuse(&r->record, denial->why, denial->text);
		relay_answer(x, r->id, denial, NULL);
	} else {
		limited = !recording_admitted(r->caller.proxy, &r->record, r->caller.route,
					      r->caller.port, r->offer.token_id, &limit);
	}
	if (limited)
		relay_refuse(r, limit, "%s", recording_limit_text(limit));
	if (denial || limited || relay_upgrades_with_body(r, head))
		return;
	r->force_http2 = relay_wants_http2(head);
	r->raw = forward_raw_protocol(head, &r->caller.way);
	if (r->caller.port == AUTH_SHELL) {
		r->caller.ops = &shell_caller;
		r->caller.way = CONNECT_SHELL;
	}
	control_touch(r->caller.proxy, r->caller.route);
	if (head->expect_continue)
		http_read_stop(x);
	caller_gate(&r->caller);
}

bool relay_is_idle(const struct proxy *p)
{
	return list_empty(&p->heads) && list_empty(&p->unsure) && list_empty(&p->probes);
}

void relay_tick(struct proxy *p, int64_t now_ms)
{
	struct relay *late;

	/* What one finds out is told to others, so none is remembered. */
	while ((late = probe_late(p, now_ms)))
		probe_times_out(late);
	list_each(unsure, &p->unsure, struct relay, in_heads)
	{
		if (now_ms >= unsure->unsure_until_ms)
			probe_gives_up(unsure);
	}
	/* What waited for the first piece of its body waits no longer. */
	list_each(r, &p->heads, struct relay, in_heads)
	{
		list_del(&r->in_heads);
		upstream_push(r->up);
	}
}

static size_t relay_body(struct http_exchange *x, const uint8_t *data, size_t size)
{
	struct relay *r = http_user(x);
	struct waiter *waiter = &r->caller.waiter;

	if (!r->caller.route)
		return size; /* the relay is finished, and nobody wants what still comes */
	if (waiter->held_by) {
		bool fits =
			held_unread(waiter, size, (size_t)r->caller.proxy->conf->hold_body_bytes);

		/* Who waits for a port has what one read brought, and its client is stopped. */
		if (!fits && caller_is_held(&r->caller))
			relay_refuse(r, REFUSAL_HELD_BYTES,
				     "the requests that wait have too many bytes");
		return 0;
	}
	if (!r->up)
		waiter->unread = size; /* counts if it has to wait again */
	if (!r->up || r->guest_full || throttle_waits(&r->throttle) ||
	    !probe_keep_body(r, data, size))
		return 0;
	control_touch(r->caller.proxy, r->caller.route);
	list_del(&r->in_heads);
	waiter->unread = 0;
	r->body_passed = true;
	r->record.in += size;
	r->guest_full = !upstream_send_body(r->up, data, size);
	throttle_pass(&r->throttle, r->caller.proxy, r->caller.route, size);
	return size;
}

static void relay_trailers(struct http_exchange *x, const struct http_header *fields, size_t n)
{
	struct relay *r = http_user(x);

	r->trailers = fields;
	r->n_trailers = n;
}

static void relay_end(struct http_exchange *x)
{
	struct relay *r = http_user(x);

	r->ended = true;
	if (r->up)
		upstream_send_trailers(r->up, r->trailers, r->n_trailers);
}

static void relay_writable(struct http_exchange *x)
{
	struct relay *r = http_user(x);

	r->client_full = false;
	if (r->up && !throttle_waits(&r->throttle))
		upstream_read_more(r->up);
}

static void relay_done(struct http_exchange *x)
{
	struct relay *r = http_user(x);
	struct proxy *p = http_server_arg(x);

	if (!r)
		return; /* its head could not be read */
	relay_free(r);
	queue_arm(p);
}

static void relay_bad(struct http_exchange *x, unsigned status, const char *why)
{
	char id[UUID_SIZE];

	rand_draw_uuid(&record_random, id);
	recording_bad(http_server_arg(x), status);
	relay_answer(x, id, &(struct auth_denial){ status, why, REFUSAL_OTHER }, NULL);
}

const struct http_handler relay_handler = {
	.head = relay_head,
	.body = relay_body,
	.trailers = relay_trailers,
	.end = relay_end,
	.writable = relay_writable,
	.done = relay_done,
	.bad = relay_bad,
	.passes_bodies_on = true,
};
