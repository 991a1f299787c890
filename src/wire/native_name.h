/* native_name.h - how a client that does not speak HTTP says where it wants to, and with which
 * token (docs/native-clients.md).  Pure. */
#ifndef WIRE_NATIVE_NAME_H
#define WIRE_NATIVE_NAME_H

#include "base/buf.h"
#include "base/rand.h"

enum native_name {
	NATIVE_NONE,     /* another name */
	NATIVE_PORT,     /* PORT-ENDPOINT */
	NATIVE_BAD_PORT, /* ... but it is no port: 0, or above 65535, or begins with a zero */
};

/* A host's first label.  *rest: what follows it, from its dot on, or the end. */
enum native_name native_name_read(const char *host, char endpoint[UUID_SIZE], uint16_t *port,
				  const char **rest);
/* The value of the option "endpoint": "ENDPOINT", "ENDPOINT-PORT" or "PORT-ENDPOINT".  *port is 0
 * where it names none.  False: it is none of them. */
bool native_name_of_option(const char *text, char endpoint[UUID_SIZE], uint16_t *port) must_check;

/* The token that a client offers as ALPN protocols, in wire form: a protocol has at most 255 bytes,
 * so the token comes in pieces, which are "doze-token." and some of its characters, in order. */
void native_token_join(const uint8_t *alpn, size_t size, struct buf *token);

#endif
