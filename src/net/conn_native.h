/* conn_native.h - what a connection knows of a client that does not speak HTTP (tls_native.h). */
#ifndef NET_CONN_NATIVE_H
#define NET_CONN_NATIVE_H

#include "base/buf.h"
#include "net/conn.h"

/* What it offered by ALPN, in wire form, and its certificate in DER, which nobody has judged.
 * False: it has none. */
const struct buf *conn_offers(const struct conn *c);
bool conn_certificate(const struct conn *c, struct buf *der);
/* In before_tls: it is such a client, whatever its name; and an answer to it in plain text. */
void conn_is_native(struct conn *c);
void conn_write_plain(struct conn *c, const void *data, size_t size);

#endif
