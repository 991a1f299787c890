/* tls_parts.h - what conn_tls.c, tls_names.c and tls_tickets.c share. */
#ifndef NET_TLS_PARTS_H
#define NET_TLS_PARTS_H

#include <openssl/ssl.h>

#include "base/list.h"
#include "net/tls.h"

struct tls {
	SSL_CTX *ctx;
	unsigned users;
	bool client;
	uint8_t *alpn; /* our protocols in wire form, best first; NULL: none */
	unsigned alpn_size;
	struct list names; /* tls_names.c: other certificates */
};

void tls_names_init(struct tls *t);
void tls_names_free(struct tls *t);
/* The one for this name, in lower case; *t itself if there is no other one. */
struct tls *tls_names_find(struct tls *t, const char *name);

#endif
