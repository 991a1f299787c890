#include "cli/shell_link.h"

#include <stdlib.h>
#include <string.h>

#include "cli/endpoint.h"

#define LINK_PIECE   (16 * KIB) /* a record of TLS, so that nothing stays behind a read */
#define LINK_PIECES  4          /* taken in one go, and then the keyboard has its turn */
#define LINK_MESSAGE (1 * MIB)

struct shell_link {
	struct endpoint endpoint;
	struct websocket *websocket;
};

int shell_link_fd(const struct shell_link *l)
{
	return l->endpoint.fd;
}

struct websocket *shell_link_websocket(struct shell_link *l)
{
	return l->websocket;
}

size_t shell_link_unsent(struct shell_link *l)
{
	return websocket_out(l->websocket)->size;
}

void shell_link_close(struct shell_link *l)
{
	if (!l)
		return;
	if (l->websocket)
		websocket_free(l->websocket);
	endpoint_close(&l->endpoint);
	free(l);
}

int shell_link_read(struct shell_link *l)
{
	static uint8_t piece[LINK_PIECE];
	ssize_t n = 1;

	for (int i = 0; i < LINK_PIECES && n > 0; i++) {
		n = endpoint_read(&l->endpoint, piece, sizeof(piece));
		if (n > 0)
			websocket_feed(l->websocket, piece, (size_t)n);
	}
	return n < 0 ? -1 : 0;
}

int shell_link_write(struct shell_link *l)
{
	struct buf *out = websocket_out(l->websocket);
	ssize_t n = 1;

	while (out->size && n > 0) {
		n = endpoint_write(&l->endpoint, out->data, out->size);
		buf_drop(out, n > 0 ? (size_t)n : 0);
	}
	return n < 0 ? -1 : 0;
}

static int link_connect(struct shell_link *l, const struct client *c, const struct shell_ask *ask,
			int give_up, struct err *e)
{
	char key[WEBSOCKET_KEY], accept[WEBSOCKET_ACCEPT];
	autofree char *fields = NULL, *target = NULL;
	const char *got;

	websocket_key(key);
	websocket_accept(key, accept);
	fields = xasprintf("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n", key);
	target = *ask->session ? xasprintf("/shell?status=1&session=%s&offset=%llu", ask->session,
					   (unsigned long long)ask->offset)
			       : xstrdup("/shell?status=1");
	if (endpoint_open(&l->endpoint,
			  &(struct endpoint_ask){ .host = ask->endpoint,
						  .via = client_endpoint_host(c),
						  .ca_file = c->ca_file,
						  .token = ask->token,
						  .target = target,
						  .upgrade = "websocket",
						  .fields = fields,
						  .give_up = give_up },
			  e))
		return -1;
	if (endpoint_header(&l->endpoint, "sec-websocket-accept", &got) == strlen(accept) &&
	    !strncmp(got, accept, strlen(accept)))
		return 0;
	return err_set(e, ERR_INTERNAL, "the endpoint's answer is no WebSocket");
}

struct shell_link *shell_link_open(const struct client *c, const struct shell_ask *ask,
				   const struct websocket_ops *ops, void *arg, int give_up,
				   unsigned *status, struct err *e)
{
	struct shell_link *l = xcalloc(1, sizeof(*l));
	int rc = link_connect(l, c, ask, give_up, e);

	*status = l->endpoint.status == 101 ? 0 : l->endpoint.status;
	if (l->endpoint.gave_up)
		*status = SHELL_LINK_STOPPED;
	if (rc) {
		shell_link_close(l);
		return NULL;
	}
	l->websocket = websocket_new(true, LINK_MESSAGE, ops, arg);
	return l;
}
