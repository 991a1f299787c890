/* tls.h - TLS for connections: a server's certificate and the protocols that it offers, or those
 * that a client asks for (OpenSSL).
 *
 * Connections share it, so it lasts until its maker and the last of them have let it go.  It is
 * implemented in conn_tls.c, with the sessions that use it. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/err.h"
#include "ipc/super.h"

struct tls; /* an SSL_CTX: certificate, ALPN */

/* @pem holds the key, the leaf and the chain.  @alpn is a NULL-terminated list, or NULL. */
struct tls *tls_server_new(const char *pem, size_t size, const char *const *alpn, struct err *e);
/* For a peer whom its place identifies, as a guest behind its machine's socket: any certificate is
 * accepted, no name is sent, and an end without close_notify is an end. */
struct tls *tls_client_new(const char *const *alpn);
void tls_free(struct tls *t);
/* Clients whose SNI is @domain or a name below it get the certificate of @other, which is taken
 * over.  The longest domain wins. */
void tls_add_name(struct tls *t, const char *domain, struct tls *other);
/* The keys of session tickets, for @t alone, not its names.  They are borrowed and may change. */
void tls_set_tickets(struct tls *t, const struct super_tickets *keys);

#endif
