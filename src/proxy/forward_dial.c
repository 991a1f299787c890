/* forward_dial.c - how a request comes to a connection into its guest: a kept one, a shared one, or
 * a new one. */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "proxy/forward.h"
#include "proxy/pool.h"
#include "proxy/sessions.h"
#include "proxy/tunnel.h"

#define EMPTIED_MOST 3 /* connections that ended before a request was sent on them */

const char *forward_raw_protocol(const struct http_head *head, enum connect_way *way)
{
	static const struct {
		const char *name;
		enum connect_way way;
	} rows[] = { { "doze-tcp", CONNECT_AT_ONCE }, { "doze-udp", CONNECT_DATAGRAMS } };
	const char *upgrade = http_header(head, "upgrade");

	for (size_t i = 0; head->upgrade && upgrade && i < ARRAY_SIZE(rows); i++)
		if (!strcmp(upgrade, rows[i].name) && forward_repeatable(head)) {
			*way = rows[i].way;
			return rows[i].name;
		}
	return NULL;
}

static void forward_raw(struct relay *r, int fd)
{
	const struct http_header headers[] = { { "upgrade", r->raw },
					       { "x-amzn-requestid", r->id } };

	http_send_head(r->x, 101, headers, ARRAY_SIZE(headers), 0);
	recording_answered(&r->record, 101);
	tunnel_start_raw(r->caller.proxy, r->caller.route, r->x, fd, &r->record);
	relay_free(r);
}

/* An end that can be read says that the application let this connection go before it had a request,
 * which may thus be sent on another one. */
static bool forward_is_emptied(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return !n || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* The connection has no owner until forward_over gives it one, from inside this call. */
static const struct conn_ops forward_no_ops;

static void forward_opened(struct relay *r, int fd)
{
	struct conn *c;
	struct err e;

	r->reused = false;
	if (probe_port(r)->speech == APP_TLS) {
		probe_shake(r, fd);
		return;
	}
	c = conn_new(r->caller.proxy->loop, fd, NULL, &forward_no_ops, NULL, &e);
	if (c) {
		forward_over(r, c, false, r->http2);
		return;
	}
	log_err("cannot use a connection into a guest error=\"%s\"", e.text);
	relay_refuse(r, REFUSAL_INTERNAL, "a connection into the microVM cannot be used");
}

static bool forward_dialed(struct caller *c, int fd)
{
	struct relay *r = container_of(c, struct relay, caller);

	if (r->raw) {
		forward_raw(r, fd);
		return true;
	}
	if (!forward_is_emptied(fd)) {
		forward_opened(r, fd);
		return true;
	}
	close(fd);
	if (r->emptied++ < EMPTIED_MOST)
		return false;
	relay_refuse(r, REFUSAL_CLOSES_EARLY,
		     "the application on port %u closes each connection before it has a request",
		     c->port);
	return true;
}

/* Which version it goes over, as far as is known. */
static void forward_choose_http(struct relay *r)
{
	const struct app_port *port = probe_port(r);

	r->http2 = r->force_http2;
	if (port->speech == APP_TLS)
		r->http2 = port->http2 && !http_request(r->x)->upgrade;
}

/* Over HTTP/2 those who come meanwhile share the connection that one of them opens. */
static bool forward_has_turn(struct caller *c, const struct line *line)
{
	struct relay *r = container_of(c, struct relay, caller);

	forward_choose_http(r);
	if (r->http2 && !r->raw && sessions_find(c->route, c->port))
		return true;
	if (r->http2 && !r->raw &&
	    (line->dialing || probe_opens(c->proxy, c->route, c->port) ||
	     sessions_opening(c->route, c->port)))
		return false;
	return line_has_turn(line, clock_mono_ms());
}

/* The application may close a kept connection at any moment, also while a request is on its way to
 * it (RFC 9112 9.3.1).  A request that cannot be repeated would then be lost, so it gets a
 * connection of its own. */
static bool forward_take_kept(struct caller *c)
{
	struct relay *r = container_of(c, struct relay, caller);
	struct session *shared = NULL;

	if (r->raw)
		return false;
	forward_choose_http(r);
	if (r->reused && !r->http2)
		return false;
	if (r->http2)
		shared = sessions_find(c->route, c->port);
	if (shared)
		r->up = session_stream(shared, &forward_ops, r);
	else if (!r->http2 && forward_repeatable(http_request(r->x)))
		r->up = pool_take(c->route, c->port, &r->kept_ms);
	if (!r->up)
		return false;
	r->reused = true;
	list_add(&c->route->relays, &c->link.in_route);
	if (shared) {
		upstream_limit(r->up, c->proxy->conf->clients.response_timeout_ms);
	} else {
		upstream_set_owner(r->up, &forward_ops, r);
		upstream_timeout(r->up, 0);
	}
	forward_start(r);
	return true;
}

static void forward_refused(struct caller *c, enum refusal why, const char *reason)
{
	relay_refuse(container_of(c, struct relay, caller), why, "%s", reason);
}

const struct caller_ops forward_caller = {
	.held = relay_held,
	.take_kept = forward_take_kept,
	.has_turn = forward_has_turn,
	.opened = forward_dialed,
	.refuse = forward_refused,
};
