/* http_greeting.c - a client's connection until it is known what it speaks: over TLS the handshake
 * says so (ALPN). */

#include <stdlib.h>
#include <string.h>

#include "net/http_carrier.h"

struct http_greeting {
	struct http_link link;
	struct http_server *server;
	struct conn *c;              /* NULL: handed over */
	struct quota_source *source; /* borrowed */
};

static const struct {
	const char *alpn;
	void (*take)(struct http_server *s, struct conn *c, struct quota_source *source);
} http_greetings[] = {
	{ "h2", http_h2_take }, { NULL, http_h1_take }, /* whatever else */
};

static void http_greeting_free(struct http_greeting *g)
{
	http_link_del(g->server, &g->link);
	free(g);
}

static void http_greeting_open(struct conn *c)
{
	struct http_greeting *g = conn_owner(c);
	size_t i = 0;

	while (http_greetings[i].alpn && strcmp(conn_alpn(c), http_greetings[i].alpn) != 0)
		i++;
	http_greetings[i].take(g->server, c, g->source);
	http_greeting_free(g);
}

static size_t http_greeting_data(struct conn *c, const uint8_t *data, size_t size)
{
	(void)c, (void)data, (void)size;
	return 0;
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
