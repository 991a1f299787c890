/* tls_parts.h - what conn_tls.c, tls_names.c, tls_native.c and tls_tickets.c share. */
#ifndef NET_TLS_PARTS_H
#define NET_TLS_PARTS_H

#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/list.h"
#include "net/tls.h"

struct tls_natives; /* tls_native.h */

struct tls {
	SSL_CTX *ctx;
	unsigned users;
	bool client;
	uint8_t *alpn; /* our protocols in wire form, best first; NULL: none */
	unsigned alpn_size;
	struct list names;                 /* tls_names.c: other certificates */
	const struct tls_natives *natives; /* borrowed; NULL: none */
};

void tls_names_init(struct tls *t);
void tls_names_free(struct tls *t);
/* The one for this name, in lower case; *t itself if there is no other one. */
struct tls *tls_names_find(struct tls *t, const char *name);

/* tls_native.c: what a server's connection knows of a client that does not speak HTTP. */
struct tls_native {
	bool asked;        /* for a certificate */
	bool certain;      /* it is one, and no protocol of HTTP is chosen */
	struct buf offers; /* by ALPN, of one that was asked */
};

struct tls_offer {
	const uint8_t *list; /* in wire form */
	unsigned size;
};

void tls_native_hello(const struct tls *t, SSL *ssl, const char *sni, struct tls_native *n);
/* True: *out is what was chosen. */
bool tls_native_alpn(const struct tls *t, SSL *ssl, const struct tls_offer *offer,
		     const uint8_t **out, uint8_t *out_size, struct tls_native *n);
bool tls_native_certificate(const SSL *ssl, struct buf *der);

#endif
