/* shell_link.h - a WebSocket to a microVM's shell (docs/shell.md): endpoint.h connects, and
 * libwslay frames.  Everything else is the caller's: it polls, and knows what a close means. */
#ifndef CLI_SHELL_LINK_H
#define CLI_SHELL_LINK_H

#include "base/buf.h"
#include "cli/client.h"
#include "wire/websocket.h"

struct shell_link;

struct shell_ask {
	const char *endpoint; /* "host[:port]" */
	const char *token;
	const char *session; /* "": a new one */
	uint64_t offset;     /* so much of the session's output is here */
};

#define SHELL_LINK_STOPPED 1

/* Waits until the microVM is awake.  *status: what the endpoint answered instead of the upgrade;
 * SHELL_LINK_STOPPED: @give_up could be read before; or 0. */
struct shell_link *shell_link_open(const struct client *c, const struct shell_ask *ask,
				   const struct websocket_ops *ops, void *arg, int give_up,
				   unsigned *status, struct err *e);
void shell_link_close(struct shell_link *l);

int shell_link_fd(const struct shell_link *l);
struct websocket *shell_link_websocket(struct shell_link *l);
/* Take what came, before anything is polled for, since it may be here already; and send what is
 * ready: -1 if the connection is broken. */
int shell_link_read(struct shell_link *l) must_check;
int shell_link_write(struct shell_link *l) must_check;
size_t shell_link_unsent(struct shell_link *l);

#endif
