/* certificates.h - the certificates of endpoints: doze's own, those of the operator, and the keys
 * of session tickets, which all of them share. */
#ifndef PROXY_CERTIFICATES_H
#define PROXY_CERTIFICATES_H

#include "net/tls.h"

struct certificates;

struct certificates *certificates_new(const char *const *alpn); /* borrowed */
void certificates_free(struct certificates *c);                 /* once nothing uses what it made */

/* Take a secret; it may come again.  *tls gets a new one, which the caller owns, or NULL if
 * something is still missing or nothing changes.  On failure all stays as it was. */
int certificates_take(struct certificates *c, enum secret which, const char *text, size_t size,
		      struct tls **tls, struct err *e) must_check;

#endif
