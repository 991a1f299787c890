#include "net/conn_native.h"

#include "net/conn_parts.h"
#include "net/tls_parts.h"

const struct buf *conn_offers(const struct conn *c)
{
	return &conn_tls_native(c->tls)->offers;
}

bool conn_certificate(const struct conn *c, struct buf *der)
{
	return c->tls && conn_tls_certificate(c->tls, der);
}

void conn_is_native(struct conn *c)
{
	conn_tls_native(c->tls)->certain = true;
}

void conn_write_plain(struct conn *c, const void *data, size_t size)
{
	if (c->state != CONN_NEW)
		return; /* the peer was gone at the last write */
	buf_add(&c->out, data, size);
	conn_flush(c);
}
