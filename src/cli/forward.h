/* forward.h - `doze forward`: a local port whose connections go through a microVM's endpoint.
 * forward.c waits for clients, forward_udp.c for datagrams, forward_pump.c has the bytes of one of
 * them.  Each client has a process of its own, since waiting for a wake blocks it. */
#ifndef CLI_FORWARD_H
#define CLI_FORWARD_H

#include "cli/cli.h"
#include "cli/endpoint.h"
#include "cli/port_words.h"

struct forward {
	struct client *client; /* borrowed */
	const char *id;        /* borrowed */
	const char *host;      /* borrowed: of the endpoint */
	struct port_words port;
	int fd;      /* owned: listens */
	char *token; /* owned; NULL: none yet */
	int64_t token_ms;
};

/* A token that lasts for a while yet.  -1: said why there is none. */
int forward_renew(struct forward *f) must_check;
/* In a process of its own: opens the connection, or says why not, and serves it to its end.
 * @local: a stream, or a socket of datagrams. */
_Noreturn void forward_serve(const struct forward *f, int local);

void forward_datagrams(struct forward *f); /* until it is ended by a signal */

/* Until both sides have ended, or one is gone. */
void forward_pump_bytes(struct endpoint *p, int local);
void forward_pump_datagrams(struct endpoint *p, int local);

#endif
