/* pki.h - our own certificate authorities. They are made at the first start: one signs the leaf
 * certificates of the three listeners, the other those of native clients (wire/certificate.h). Keys
 * are EC P-256. Leaves are made at every start and are kept in memory only. */
#ifndef DOZED_PKI_H
#define DOZED_PKI_H

#include "base/buf.h"
#include "base/err.h"

/* Makes a CA of this name: its key and its certificate as PEM. */
int pki_make_ca(const char *name, struct buf *key_pem, struct buf *cert_pem,
		struct err *e) must_check;

/* Makes a leaf for @names, which end with NULL ("IP:127.0.0.1", "DNS:*.s3.localhost"). The PEM text
 * holds the key, the leaf and the CA's certificate. */
int pki_make_leaf(struct buf *ca_key, struct buf *ca_cert, const char *const *names,
		  struct buf *pem, struct err *e) must_check;

/* Checks that a server can use an operator's key and certificates, and adds them to @pem as above.
 * *until_s is when the leaf ends, in seconds since 1970. */
int pki_read_leaf(const struct buf *key, const struct buf *certs, struct buf *pem, int64_t *until_s,
		  struct err *e) must_check;

#endif
