/* endpoint.h - one connection of the command line into a microVM, through its endpoint: an upgrade,
 * behind which the bytes are those of a port (docs/api-doze.md, "Upgrades at the endpoint") or of a
 * shell's WebSocket (docs/shell.md).  It waits until the microVM is awake. */
#ifndef CLI_ENDPOINT_H
#define CLI_ENDPOINT_H

#include <openssl/ssl.h>

#include "base/err.h"

struct endpoint_ask {
	const char *host; /* "name[:port]" */
	const char *via;  /* the machine that is asked for it; NULL: as the name resolves */
	const char *ca_file, *token;
	const char *target;  /* of the request */
	const char *upgrade; /* the protocol that is asked for */
	const char *fields;  /* more lines of the head, each with its CR LF */
	int give_up;         /* it waits no longer once this can be read; -1: it waits */
};

struct endpoint {
	SSL_CTX *context;
	SSL *ssl;
	int fd;
	unsigned status; /* of the answer; 0: there was none */
	bool gave_up;
	char *head; /* owned: of the answer */
};

/* -1: *e says why, and so do `status` and `gave_up`.  The connection does not block afterwards. */
int endpoint_open(struct endpoint *p, const struct endpoint_ask *ask, struct err *e) must_check;
void endpoint_close(struct endpoint *p); /* harmless if it is closed */
/* The value of a header of the answer, up to its line's end: its size; 0: it has none. */
size_t endpoint_header(const struct endpoint *p, const char *name, const char **value);

/* How many bytes; 0: none at the moment; -1: the other side has ended, or is gone. */
ssize_t endpoint_read(struct endpoint *p, void *to, size_t size) must_check;
ssize_t endpoint_write(struct endpoint *p, const void *from, size_t size) must_check;
void endpoint_shutdown(struct endpoint *p); /* nothing more will be written */

#endif
