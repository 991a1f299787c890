/* probe.c - TLS towards an application: the handshake, and how a port is found out to need one. */

#include <string.h>

#include "base/clock.h"
#include "net/tls.h"
#include "proxy/forward.h"
#include "proxy/pool.h"
#include "proxy/sessions.h"

/* A TLS server refuses plain HTTP at once, and whoever reads a body takes more than that. */
#define PROBE_BODY_MS  250
#define PROBE_MS       2000  /* for a port of which nobody knows that it speaks TLS */
#define PROBE_PAUSE_MS 10000 /* until a port that did not speak TLS may be asked again */

static const struct conn_ops probe_ops;

struct app_port *probe_port(const struct relay *r)
{
	return app_port_of(&r->caller.route->app_ports, r->caller.port);
}

bool probe_is_due(const struct relay *r)
{
	const struct app_port *port = probe_port(r);

	return port->speech == APP_UNKNOWN && !r->probed && clock_mono_ms() >= port->not_until_ms;
}

/* Is @r finding out what the port speaks, for all who ask there?  */
static bool probe_leads(const struct relay *r)
{
	return r->probed && (r->probe_dial || r->shake);
}

/* One that waits for what another one finds out. */
static struct relay *probe_follower(const struct proxy *p, const struct route *route, uint16_t port)
{
	list_each(r, &p->probes, struct relay, in_heads)
	{
		if (r->caller.route == route && r->caller.port == port && r->probed &&
		    !probe_leads(r))
			return r;
	}
	return NULL;
}

static bool probe_has_leader(const struct relay *r)
{
	list_each(other, &r->caller.proxy->probes, struct relay, in_heads)
	{
		if (other->caller.route == r->caller.route &&
		    other->caller.port == r->caller.port && probe_leads(other))
			return true;
	}
	return false;
}

bool probe_opens(const struct proxy *p, const struct route *route, uint16_t port)
{
	list_each(r, &p->probes, struct relay, in_heads)
	{
		if (r->caller.route == route && r->caller.port == port && r->shake)
			return true;
	}
	return false;
}

/* The answer stands, or there is none. */
static void probe_goes_on(struct relay *r)
{
	list_del(&r->in_heads);
	r->probing = false;
	if (r->held)
		forward_go_on(r);
	else
		relay_refuse(r, REFUSAL_BROKEN, "%s", r->why);
}

/* The request is sent anew over TLS, if all of it is still there. */
static bool probe_may_send_anew(struct relay *r)
{
	list_del(&r->in_heads);
	r->probing = false;
	r->held = NULL;
	if (r->up)
		upstream_close(r->up);
	r->up = NULL;
	if (!r->body_passed || !r->body_lost)
		return true;
	relay_refuse(r, REFUSAL_LATE_TLS,
		     "port %u speaks TLS, which shows only now: send the request again",
		     r->caller.port);
	return false;
}

/* What one found out is true for all who asked at that port meanwhile. */
static void probe_tell(struct proxy *p, struct route *route, uint16_t port, bool speaks_tls)
{
	struct relay *r;

	while ((r = probe_follower(p, route, port))) {
		if (!speaks_tls) {
			probe_goes_on(r);
		} else if (probe_may_send_anew(r)) {
			r->probed = false;
			forward_repeat(r, "the application does not finish the TLS handshake");
		}
	}
	queue_look_at_port(p, route, port);
}

/* It does not speak TLS, or at least not now. */
static void probe_failed(struct relay *r)
{
	struct app_port *port = probe_port(r);
	struct proxy *p = r->caller.proxy;
	struct route *route = r->caller.route;
	uint16_t number = r->caller.port;

	list_del(&r->in_heads);
	if (!r->probed) {
		/* The port was known to speak TLS, and nothing of the request was sent. */
		if (port->speech == APP_TLS)
			port->speech = APP_UNKNOWN;
		forward_repeat(r, "the application does not finish the TLS handshake");
		queue_look_at_port(p, route, number);
		return;
	}
	port->not_until_ms = clock_mono_ms() + PROBE_PAUSE_MS;
	probe_goes_on(r);
	probe_tell(p, route, number, false);
}

/* It outlives the relay by a turn of the loop. */
static void probe_drop(struct conn *c)
{
	conn_set_owner(c, &probe_ops, NULL);
	conn_close(c);
}

static void probe_succeeded(struct relay *r, struct conn *c)
{
	struct app_port *port = probe_port(r);
	struct proxy *p = r->caller.proxy;
	struct route *route = r->caller.route;
	uint16_t number = r->caller.port;

	bool http2 = !strcmp(conn_alpn(c), "h2");

	port->speech = APP_TLS;
	if (!http_request(r->x)->upgrade) /* which was offered HTTP/1.1 alone */
		port->http2 = http2;
	if (r->probed) {
		pool_drop_port(route, number);
		sessions_drop_port(route, number);
	}
	if (probe_may_send_anew(r))
		forward_over(r, c, true, http2);
	else
		probe_drop(c);
	probe_tell(p, route, number, true);
}

static void probe_open(struct conn *c)
{
	struct relay *r = conn_owner(c);

	r->shake = NULL;
	probe_succeeded(r, c);
}

static size_t probe_data(struct conn *c, const uint8_t *data, size_t size)
{
	(void)c, (void)data, (void)size;
	return 0; /* it is for whom the connection is given to */
}

static void probe_end(struct conn *c)
{
	conn_close(c);
}

static void probe_closed(struct conn *c)
{
	struct relay *r = conn_owner(c);

	if (!r)
		return;
	r->shake = NULL;
	probe_failed(r);
}

static const struct conn_ops probe_ops = {
	.open = probe_open,
	.data = probe_data,
	.end = probe_end,
	.closed = probe_closed,
};

static void probe_wait(struct relay *r)
{
	r->probing = true;
	r->probe_since_ms = clock_mono_ms();
	list_del(&r->in_heads);
	list_add(&r->caller.proxy->probes, &r->in_heads);
	queue_arm(r->caller.proxy);
}

void probe_shake(struct relay *r, int fd)
{
	struct tls *tls = r->caller.proxy->to_apps[http_request(r->x)->upgrade];
	struct err e;

	probe_wait(r);
	r->shake = conn_new(r->caller.proxy->loop, fd, tls, &probe_ops, r, &e);
	if (!r->shake)
		probe_failed(r);
}

static void probe_dialed(void *arg, enum dial_result result, int fd)
{
	struct relay *r = arg;

	r->probe_dial = NULL;
	if (result == DIAL_OPEN)
		probe_shake(r, fd);
	else
		probe_failed(r);
}

void probe_begin(struct relay *r, const char *why)
{
	r->probed = true;
	r->why = why;
	probe_wait(r);
	if (!probe_has_leader(r))
		r->probe_dial = caller_dial_port(&r->caller, probe_dialed, r);
}

/* It leaves before it knows, so that another one has to find out. */
static void probe_lets_another_lead(const struct relay *r)
{
	struct relay *next = probe_follower(r->caller.proxy, r->caller.route, r->caller.port);

	if (next && !probe_has_leader(next))
		next->probe_dial = caller_dial_port(&next->caller, probe_dialed, next);
	queue_look_at_port(r->caller.proxy, r->caller.route, r->caller.port);
}

bool probe_keep_body(struct relay *r, const uint8_t *data, size_t size)
{
	if (r->body_lost)
		return true;
	if (probe_port(r)->speech != APP_UNKNOWN) {
		r->body_lost = true;
		buf_free(&r->sent);
		return true;
	}
	if (r->sent.size + size <= LIMIT_HTTP_BUFFER) {
		buf_add(&r->sent, data, size);
		return true;
	}
	if (!r->unsure_until_ms) {
		r->unsure_until_ms = clock_mono_ms() + PROBE_BODY_MS;
		list_del(&r->in_heads);
		list_add(&r->caller.proxy->unsure, &r->in_heads);
		queue_arm(r->caller.proxy);
	}
	return false;
}

void probe_gives_up(struct relay *r)
{
	list_del(&r->in_heads);
	r->body_lost = true;
	buf_free(&r->sent);
	http_read_more(r->x);
}

void probe_is_sure(struct relay *r)
{
	struct app_port *port = probe_port(r);

	if (port->speech == APP_UNKNOWN)
		port->speech = APP_PLAIN;
	probe_gives_up(r);
}

static void probe_stop(struct relay *r)
{
	list_del(&r->in_heads);
	if (r->probe_dial)
		dial_cancel(r->probe_dial);
	r->probe_dial = NULL;
	if (r->shake)
		probe_drop(r->shake);
	r->shake = NULL;
	r->probing = false;
}

void probe_cancel(struct relay *r)
{
	if (!r->probing)
		return;
	probe_stop(r);
	probe_lets_another_lead(r);
}

struct relay *probe_late(const struct proxy *p, int64_t now_ms)
{
	list_each(r, &p->probes, struct relay, in_heads)
	{
		if (now_ms - r->probe_since_ms >= (r->probed ? PROBE_MS : LIMIT_NET_DIAL_MS))
			return r;
	}
	return NULL;
}

void probe_times_out(struct relay *r)
{
	probe_stop(r);
	probe_failed(r);
}
