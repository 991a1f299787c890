/* certificate.h - a token in the form of a client's certificate (ADR 0015): signed by an authority
 * of its own, with the token's claims as its comment.
 *
 * It holds no secret: what a client proves is that it has the certificate's key.  Pure; time is an
 * argument. */
#ifndef WIRE_CERTIFICATE_H
#define WIRE_CERTIFICATE_H

#include "wire/token.h"

/* The authority: its certificate, and its key where there is one. */
struct certificate_authority;

/* @pem holds the certificate, and before it the key of who signs.  NULL: *e says why. */
struct certificate_authority *certificate_authority_new(const char *pem, size_t size,
							struct err *e) must_check;
void certificate_authority_free(struct certificate_authority *a);

/* Signs a certificate for the public key @key (PEM), which is valid until the claims expire, and
 * adds it as PEM.  ERR_INVALID: that is no key for it. */
int certificate_sign(const struct certificate_authority *a, const char *key, size_t size,
		     const struct token_claims *claims, int64_t now_ms, struct buf *pem,
		     struct err *e) must_check;

/* Reads a certificate in DER whose key its holder has proven to have.  ERR_DENIED: it is not from
 * this authority, or not valid at @now_ms.  The caller checks expiry and scope of the claims, as
 * those of a token. */
int certificate_open(const struct certificate_authority *a, const uint8_t *der, size_t size,
		     int64_t now_ms, struct token_claims *claims, struct err *e) must_check;

#endif
