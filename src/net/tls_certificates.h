/* tls_certificates.h - the certificates of a listener as they come as secrets: doze's own, those of
 * the operator, and the keys of session tickets, which all of them share. */
#ifndef NET_TLS_CERTIFICATES_H
#define NET_TLS_CERTIFICATES_H

#include "net/tls_native.h"

struct certificates;

/* @own is the secret that holds doze's certificate for this listener.  @alpn and @natives (NULL:
 * there are none) are borrowed. */
struct certificates *certificates_new(enum secret own, const char *const *alpn,
				      const struct tls_natives *natives);
void certificates_free(struct certificates *c); /* once nothing uses what it made */

/* Take a secret; it may come again.  *tls gets a new one, which the caller owns, or NULL if
 * something is still missing or nothing changes.  On failure all stays as it was. */
int certificates_take(struct certificates *c, enum secret which, const char *text, size_t size,
		      struct tls **tls, struct err *e) must_check;

#endif
