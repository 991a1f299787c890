/* conn_tls.h - the TLS half of a connection; for net/conn only.
 *
 * OpenSSL reads cipher text straight from the socket's buffer and writes into the connection's out
 * buffer, so an idle connection keeps no buffer of its own. */
#ifndef NET_CONN_TLS_H
#define NET_CONN_TLS_H

#include "base/buf.h"
#include "net/tls.h"

struct conn_tls;
struct tls_native; /* tls_parts.h */

/* *out gets the cipher text; borrowed. */
struct conn_tls *conn_tls_new(struct tls *t, struct buf *out);
void conn_tls_free(struct conn_tls *s);

enum conn_tls_event {
	CONN_TLS_WANT,   /* nothing more can be done until the socket gives more */
	CONN_TLS_OPENED, /* the handshake is done */
	CONN_TLS_DATA,   /* *size bytes of plain text in @to */
	CONN_TLS_END,    /* close_notify came */
	CONN_TLS_BROKEN, /* the out buffer may hold an alert */
};

/* Go on with what conn_tls_feed put in. */
enum conn_tls_event conn_tls_read(struct conn_tls *s, uint8_t *to, size_t room, size_t *size);
/* @data is cipher text that stays valid until conn_tls_kept or the next feed. */
void conn_tls_feed(struct conn_tls *s, const uint8_t *data, size_t size);
/* The memory of the last feed is about to go, so what was not read is copied. */
void conn_tls_kept(struct conn_tls *s);
bool conn_tls_write(struct conn_tls *s, const void *data, size_t size) must_check;
void conn_tls_notify(struct conn_tls *s); /* close_notify */
bool conn_tls_is_client(const struct conn_tls *s);
bool conn_tls_is_open(const struct conn_tls *s);
const char *conn_tls_sni(const struct conn_tls *s);
const char *conn_tls_alpn(struct conn_tls *s);
bool conn_tls_certificate(const struct conn_tls *s, struct buf *der); /* false: there is none */
struct tls_native *conn_tls_native(struct conn_tls *s);

#endif
