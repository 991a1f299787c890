#include "proxy/native_client.h"

#include <stdlib.h>
#include <string.h>

#include "base/steady.h"
#include "proxy/recording.h"
#include "proxy/tunnel.h"
#include "proxy/waiting_client.h"
#include "wire/postgres_start.h"

struct native_client {
	struct waiting_client w;
	struct list in_proxy;
	bool postgres, cancels;
	struct buf start; /* for the application */
	struct request_record record;
};

static void native_leave(struct native_client *c)
{
	list_del(&c->in_proxy);
	caller_leave(&c->w.caller);
	buf_free(&c->start);
}

static void native_gone(struct waiting_client *w)
{
	struct native_client *c = container_of(w, struct native_client, w);

	native_leave(c);
	recording_end(w->caller.proxy, &c->record);
	free(c);
}

static void native_held(struct caller *caller, bool for_microvm)
{
	recording_held(&container_of(caller, struct native_client, w.caller)->record, for_microvm);
}

static bool native_opened(struct caller *caller, int fd)
{
	struct native_client *c = container_of(caller, struct native_client, w.caller);

	recording_sent(&c->record);
	recording_answered(&c->record, 101);
	list_del(&caller->link.in_route);
	tunnel_start_client(caller->proxy, caller->route,
			    &(struct tunnel_client){ .conn = c->w.conn,
						     .ended = c->w.ended,
						     .start = &c->start,
						     .record = &c->record },
			    fd);
	list_del(&c->in_proxy);
	buf_free(&c->start);
	free(c);
	return true;
}

/* What clients of PostgreSQL know: SQLSTATEs, in the place of HTTP's statuses. */
static const struct {
	unsigned status;
	const char *code;
} native_codes[] = {
	{ 400, "08P01" }, /* protocol_violation */
	{ 403, "28000" }, /* invalid_authorization_specification */
	{ 429, "53300" }, /* too_many_connections */
	{ 0, "57P03" },   /* cannot_connect_now */
};

static void native_say(struct native_client *c, unsigned status, const char *reason)
{
	autobuf struct buf b = { 0 };
	size_t i = 0;

	if (!c->postgres || c->cancels)
		return;
	while (native_codes[i].status && native_codes[i].status != status)
		i++;
	postgres_error_put(&b, native_codes[i].code, reason);
	conn_write(c->w.conn, b.data, b.size);
}

static void native_refuse(struct caller *caller, enum refusal why, const char *reason)
{
	struct native_client *c = container_of(caller, struct native_client, w.caller);
	char text[ROUTE_NOTE_SIZE];

	snprintf(text, sizeof(text), "a client of port %u was refused: %s", caller->port, reason);
	if (caller->route)
		control_note(caller->proxy, caller->route, text);
	record_refuse(&c->record, why, reason);
	native_say(c, refusal_status(why), reason);
	caller_leave(caller);
	conn_close_after_write(c->w.conn);
}

static const struct caller_ops native_caller = {
	.held = native_held,
	.opened = native_opened,
	.refuse = native_refuse,
};

/* A certificate names its microVM.  Only the holder of one makes us look for it. */
static struct route *native_route_of_claims(struct proxy *p, const struct token_claims *claims)
{
	hash_each(r, &p->routes.by_endpoint, struct route, in_table)
	{
		if (!strcmp(r->row.microvm, claims->microvm))
			return r;
	}
	return NULL;
}

static uint16_t native_port(const struct native_want *want)
{
	const struct token_claims *claims = &want->claims;
	bool one = want->certified && !claims->all_ports && claims->n_ranges == 1 &&
		   claims->ranges[0].first == claims->ranges[0].last;

	if (want->port)
		return want->port;
	if (one)
		return claims->ranges[0].first;
	return want->postgres ? NATIVE_POSTGRES_PORT : 0;
}

/* NULL: it may go in, and the caller has its route and its port. */
static const struct auth_denial *native_admit(struct native_client *c, struct native_want *want)
{
	static const struct auth_denial no_port = { 400, "The client names no port",
						    REFUSAL_BAD_PORT };
	struct proxy *p = c->w.caller.proxy;
	const struct auth_shown shown = {
		.token = want->token.size ? buf_str(&want->token) : NULL,
		.claims = want->certified ? &want->claims : NULL,
	};
	const struct auth_denial *denial;
	struct route *route = NULL;

	c->w.caller.port = native_port(want);
	if (*want->endpoint)
		route = route_find(&p->routes, want->endpoint);
	else if (want->certified)
		route = native_route_of_claims(p, &want->claims);
	if (!route)
		return shown.token || shown.claims ? &auth_unknown_host : &auth_missing;
	if (!c->w.caller.port)
		return &no_port;
	denial = auth_check_native(&shown, &p->keys, &route->row, steady_ms(), c->w.caller.port);
	if (!denial)
		c->w.caller.route = route;
	return denial;
}

static void native_enter(struct native_client *c, struct native_want *want)
{
	static const char how[] = ": give sslcert and sslkey from 'doze token --cert', or "
				  "options='token=TOKEN'";
	struct caller *caller = &c->w.caller;
	const struct auth_denial *denial;
	uint64_t token = want->token.size ? auth_token_id(buf_str(&want->token))
					  : auth_claims_id(&want->claims);
	enum refusal limit;

	if (*want->refusal.text) {
		caller_refuse(caller,
			      want->refusal.kind == ERR_DENIED ? REFUSAL_BAD_TOKEN
							       : REFUSAL_MALFORMED,
			      "%s", want->refusal.text);
		return;
	}
	denial = native_admit(c, want);
	if (denial) {
		caller_refuse(caller, denial->why, "%s%s", denial->text,
			      denial == &auth_missing && c->postgres ? how : "");
		return;
	}
	if (!recording_admitted(caller->proxy, &c->record, caller->route, caller->port, token,
				&limit)) {
		caller_refuse(caller, limit, "%s", recording_limit_text(limit));
		return;
	}
	control_touch(caller->proxy, caller->route);
	caller_gate(caller);
}

void native_client_new(struct proxy *p, struct conn *conn, struct native_want *want)
{
	static const struct http_head heads[] = { { .method = "TCP", .target = "" },
						  { .method = "POSTGRESQL", .target = "" } };
	struct native_client *c = xcalloc(1, sizeof(*c));

	caller_init(&c->w.caller, p, &native_caller);
	c->w.caller.way = CONNECT_AT_ONCE;
	c->w.conn = conn;
	c->w.gone = native_gone;
	c->postgres = want->postgres;
	c->cancels = want->cancels;
	c->start = want->start;
	want->start = (struct buf){ 0 };
	list_init(&c->in_proxy);
	list_add(&p->natives, &c->in_proxy);
	recording_begin(&c->record, &heads[c->postgres], 0);
	conn_set_owner(conn, &waiting_client_ops, &c->w);
	conn_timeout(conn, p->conf->clients.tunnel_timeout_ms);
	native_enter(c, want);
}

void native_clients_close(struct proxy *p)
{
	list_each(c, &p->natives, struct native_client, in_proxy)
	{
		conn_close(c->w.conn);
	}
}
