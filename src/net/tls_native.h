/* tls_native.h - clients at the port of an HTTP server that do not speak HTTP: how the handshake
 * finds them (http_native.h has what they say afterwards). */
#ifndef NET_TLS_NATIVE_H
#define NET_TLS_NATIVE_H

#include "net/tls.h"

/* They are asked for a certificate, and no protocol of HTTP is chosen for them.  Others are not
 * asked, since a browser would show that. */
struct tls_natives {
	bool (*is_name)(const char *sni); /* in lower case: is this a name of theirs? */
	const char *alpn;                 /* a protocol that they alone offer */
};

/* Before the first connection.  @n is borrowed; @ca (PEM) signs their certificates, which the
 * caller judges. */
int tls_set_natives(struct tls *t, const struct tls_natives *n, const char *ca, size_t size,
		    struct err *e) must_check;

#endif
