/* endpoint.h - one connection to a port of a microVM, through its endpoint (docs/api-doze.md,
 * "Upgrades at the endpoint").  It blocks until the microVM is awake. */
#ifndef CLI_ENDPOINT_H
#define CLI_ENDPOINT_H

#include <openssl/ssl.h>

#include "base/err.h"

struct endpoint_ask {
	const char *host; /* "name[:port]" */
	const char *ca_file, *token;
	uint16_t port;
	bool datagrams;
};

struct endpoint {
	SSL_CTX *context;
	SSL *ssl;
	int fd;
};

/* -1: *e says why.  The connection does not block afterwards. */
int endpoint_open(struct endpoint *p, const struct endpoint_ask *ask, struct err *e) must_check;
void endpoint_close(struct endpoint *p);

/* How many bytes; 0: none at the moment; -1: the other side has ended, or is gone. */
ssize_t endpoint_read(struct endpoint *p, void *to, size_t size) must_check;
ssize_t endpoint_write(struct endpoint *p, const void *from, size_t size) must_check;
void endpoint_shutdown(struct endpoint *p); /* nothing more will be written */

#endif
