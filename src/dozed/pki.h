/* pki.h - our own certificate authority: made at first start, signs the leaf certificates of the
 * three listeners.  Keys are EC P-256.  Leaves are made anew at every start and live in memory
 * only. */
#ifndef DOZED_PKI_H
#define DOZED_PKI_H

#include "base/buf.h"
#include "base/err.h"

/* A new CA: its key and certificate as PEM. */
int pki_make_ca(struct buf *key_pem, struct buf *cert_pem, struct err *e) must_check;

/* A leaf for these names ("IP:127.0.0.1", "DNS:*.s3.localhost"; NULL-terminated): one PEM text with
 * the key, the leaf and the CA's certificate. */
int pki_make_leaf(struct buf *ca_key, struct buf *ca_cert, const char *const *names,
		  struct buf *pem, struct err *e) must_check;

#endif
