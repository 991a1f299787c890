/* http_greeting.c - a client's connection until it is known what it speaks: over TLS the handshake
 * says so (ALPN).  A client that does not speak HTTP may have to say more inside. */

#include <stdlib.h>
#include <string.h>

#include "net/http_carrier.h"
#include "net/http_native.h"

struct http_greeting {
	struct http_link link;
	struct http_server *server;
	struct conn *c;              /* NULL: handed over */
	struct quota_source *source; /* borrowed */
	struct http_wait wait;       /* for the start of a native client */
	struct http_start start;
	bool tls; /* it has begun */
};

static const struct {
	const char *alpn;
	void (*take)(struct http_server *s, struct conn *c, struct quota_source *source);
} http_greetings[] = {
	{ "h2", http_h2_take }, { NULL, http_h1_take }, /* whatever else */
};

static void http_greeting_free(struct http_greeting *g)
{
	list_del(&g->wait.in);
	buf_free(&g->start.said);
	http_link_del(g->server, &g->link);
	free(g);
}

static size_t http_greeting_before_tls(struct conn *c, const uint8_t *data, size_t size)
{
	struct http_greeting *g = conn_owner(c);
	const struct http_natives *natives = g->server->natives;
	size_t plain;

	if (g->tls || !natives)
		return 0;
	plain = natives->before_tls(g->server->arg, c, &g->start, data, size);
	g->tls = plain < size;
	return plain;
}

static void http_greeting_late(struct http_wait *w)
{
	struct http_greeting *g = container_of(w, struct http_greeting, wait);

	g->server->natives->late(g->server->arg, g->c, &g->start);
	if (conn_owner(g->c) != g)
		http_greeting_free(g);
}

/* Does somebody else take it, or has it more to say?  */
static bool http_greeting_is_native(struct http_greeting *g)
{
	const struct http_natives *natives = g->server->natives;
	enum http_native is =
		natives ? natives->opened(g->server->arg, g->c, &g->start) : HTTP_NATIVE_NONE;

	if (is == HTTP_NATIVE_MORE)
		http_wait_start(g->server, &g->wait);
	if (is == HTTP_NATIVE_TAKEN)
		http_greeting_free(g);
	return is != HTTP_NATIVE_NONE;
}

static void http_greeting_open(struct conn *c)
{
	struct http_greeting *g = conn_owner(c);
	size_t i = 0;

	if (http_greeting_is_native(g))
		return;
	while (http_greetings[i].alpn && strcmp(conn_alpn(c), http_greetings[i].alpn) != 0)
		i++;
	http_greetings[i].take(g->server, c, g->source);
	http_greeting_free(g);
}

static size_t http_greeting_data(struct conn *c, const uint8_t *data, size_t size)
{
	struct http_greeting *g = conn_owner(c);

	buf_add(&g->start.said, data, size);
	if (g->server->natives->said(g->server->arg, c, &g->start) == HTTP_NATIVE_TAKEN)
		http_greeting_free(g);
	return size;
}

static void http_greeting_end(struct conn *c)
{
	conn_close(c);
}

static void http_greeting_closed(struct conn *c)
{
	http_greeting_free(conn_owner(c));
}

static const struct conn_ops http_greeting_ops = {
	.open = http_greeting_open,
	.before_tls = http_greeting_before_tls,
	.data = http_greeting_data,
	.end = http_greeting_end,
	.closed = http_greeting_closed,
};

static void http_greeting_close(struct http_link *l)
{
	conn_close(container_of(l, struct http_greeting, link)->c);
}

int http_greet(struct http_server *s, int fd, struct quota_source *source, struct err *e)
{
	struct http_greeting *g = xcalloc(1, sizeof(*g));

	g->server = s;
	g->source = source;
	g->start.said.secret = true;
	g->wait.late = http_greeting_late;
	list_init(&g->wait.in);
	g->c = conn_new(s->loop, fd, s->tls, &http_greeting_ops, g, e);
	if (!g->c) {
		free(g);
		return -1;
	}
	http_link_init(&g->link, http_greeting_close);
	conn_count(g->c, source);
	conn_pace_out(g->c, s->limits.send_timeout_ms, s->limits.min_rate);
	http_link_add(s, &g->link);
	http_link_waits(s, &g->link, source);
	return 0;
}
