/* server_cert.h - the certificate of a server that nobody has trusted yet. */
#ifndef CLI_SERVER_CERT_H
#define CLI_SERVER_CERT_H

#include "base/buf.h"
#include "base/err.h"

#define FINGERPRINT_SIZE 104 /* "SHA256:" and 32 bytes as "AB:" */

struct server_cert {
	bool trusted; /* the system's certificates vouch for it */
	char *ca;     /* PEM of the chain's last certificate, which signs itself; owned */
	char fingerprint[FINGERPRINT_SIZE];
};

/* Connect to https://HOST:PORT and look.  ERR_INVALID: what answers has no CA of its own. */
int server_cert_look(struct server_cert *s, const char *url, struct err *e) must_check;
void server_cert_free(struct server_cert *s);

/* The certificates that this machine trusts, as PEM. */
int system_certificates_add(struct buf *to, struct err *e) must_check;
/* When the first certificate in this PEM ends, in seconds since 1970. */
int certificate_until(const char *pem, size_t size, int64_t *until_s, struct err *e) must_check;
/* Of the first certificate in this PEM. */
int fingerprint_of(const char *pem, size_t size, char to[FINGERPRINT_SIZE],
		   struct err *e) must_check;
/* Letters of either case, with or without "SHA256:" and colons. */
bool fingerprint_is(const char *given, const char *fingerprint);

#endif
