/* vsock_conn.c - one stream: the packets that it owes the guest, and its answer to the guest's
 * packets. */

#include <endian.h>
#include <errno.h>
#include <linux/vm_sockets.h>

#include "vmm/dev/vsock.h"
#include "vmm/virtio/queue.h"

#define SHUT_BOTH   (VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)
#define PACKET_MAX  (64 * KIB)
#define CREDIT_TOLD (VSOCK_CREDIT / 2) /* so much is taken before the guest is told of it alone */
#define HEADER_SIZE sizeof(struct virtio_vsock_hdr)

/* Of vsock_conn.owes. */
#define OWES_REQUEST  1U
#define OWES_RESPONSE 2U
#define OWES_SHUTDOWN 4U
#define OWES_CREDIT   8U
#define OWES_ALL      15U

struct virtio_vsock_hdr vsock_header(const struct vsock *v, uint32_t host_port, uint32_t guest_port,
				     uint16_t op)
{
	return (struct virtio_vsock_hdr){ .src_cid = htole64(VMADDR_CID_HOST),
					  .dst_cid = v->config.guest_cid,
					  .src_port = htole32(host_port),
					  .dst_port = htole32(guest_port),
					  .type = htole16(VIRTIO_VSOCK_TYPE_STREAM),
					  .op = htole16(op),
					  .buf_alloc = htole32(VSOCK_CREDIT) };
}

/* The bytes that the guest has room for. */
static uint32_t conn_credit(const struct vsock_conn *c)
{
	uint32_t under_way = c->sent - c->peer_fwd;

	return under_way < c->peer_alloc ? c->peer_alloc - under_way : 0;
}

static bool conn_may_read(const struct vsock_conn *c)
{
	return c->readable && c->state == VSOCK_OPEN && conn_credit(c) &&
	       !(c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_RCV) &&
	       !(c->host_shut & VIRTIO_VSOCK_SHUTDOWN_SEND);
}

bool vsock_conn_is_due(const struct vsock_conn *c)
{
	return c->owes || conn_may_read(c);
}

bool vsock_conn_is_over(const struct vsock_conn *c)
{
	return c->state == VSOCK_OPEN && c->guest_shut == SHUT_BOTH && c->got == c->taken;
}

void vsock_conn_ask(struct vsock_conn *c)
{
	c->state = VSOCK_ASKED;
	c->owes = OWES_REQUEST;
}

/* Read bytes of the host end into the guest's memory.  Returns their number, 0 if there are none
 * now or ever, or -1 if the stream broke. */
static ssize_t conn_read(struct vsock_conn *c, struct span *in)
{
	uint32_t most = conn_credit(c);
	ssize_t n;

	span_trim(in, most < PACKET_MAX ? most : PACKET_MAX);
	n = c->ops->read(c, in->at, in->n);
	if (n > 0)
		return n;
	c->readable = false;
	if (!n) {
		c->host_shut |= VIRTIO_VSOCK_SHUTDOWN_SEND;
		c->owes |= OWES_SHUTDOWN;
	}
	return n && n != -EAGAIN ? -1 : 0;
}

/* The packet without data that is owed first. */
static uint16_t conn_owed(struct vsock_conn *c)
{
	static const struct {
		uint32_t owes;
		uint16_t op;
	} rows[] = { { OWES_REQUEST, VIRTIO_VSOCK_OP_REQUEST },
		     { OWES_RESPONSE, VIRTIO_VSOCK_OP_RESPONSE },
		     { OWES_SHUTDOWN, VIRTIO_VSOCK_OP_SHUTDOWN },
		     { OWES_CREDIT, VIRTIO_VSOCK_OP_CREDIT_UPDATE } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (c->owes & rows[i].owes) {
			c->owes &= ~rows[i].owes;
			return rows[i].op;
		}
	}
	return VIRTIO_VSOCK_OP_INVALID;
}

/* The answer to the guest's first packet comes before data, and an end comes after it. */
ssize_t vsock_conn_fill(struct vsock_conn *c, struct vq_chain *chain)
{
	struct iovec at[HEADER_SIZE];
	struct span head = { .at = at };
	struct virtio_vsock_hdr h =
		vsock_header(c->vsock, c->host_port, c->guest_port, VIRTIO_VSOCK_OP_RW);
	ssize_t n = 0;

	span_split(&chain->in, &head, HEADER_SIZE);
	if (!(c->owes & (OWES_REQUEST | OWES_RESPONSE)) && chain->in.size && conn_may_read(c))
		n = conn_read(c, &chain->in);
	if (n < 0)
		return -1;
	if (!n)
		h.op = htole16(conn_owed(c));
	if (h.op == htole16(VIRTIO_VSOCK_OP_INVALID))
		return 0;
	if (h.op == htole16(VIRTIO_VSOCK_OP_SHUTDOWN))
		h.flags = htole32(c->host_shut);
	h.len = htole32((uint32_t)n);
	h.fwd_cnt = htole32(c->taken);
	span_put(&head, &h, sizeof(h));
	c->sent += (uint32_t)n;
	c->told = c->taken;
	c->owes &= ~OWES_CREDIT;
	return n + (ssize_t)sizeof(h);
}

static bool take_response(struct vsock_conn *c, const struct virtio_vsock_hdr *h,
			  struct span *bytes)
{
	(void)h;
	(void)bytes;
	if (c->state != VSOCK_ASKED)
		return false;
	c->state = VSOCK_OPEN;
	c->readable = true;
	if (c->ops->opened)
		c->ops->opened(c);
	return true;
}

static bool take_shutdown(struct vsock_conn *c, const struct virtio_vsock_hdr *h,
			  struct span *bytes)
{
	uint32_t before = c->guest_shut;

	(void)bytes;
	c->guest_shut |= le32toh(h->flags) & SHUT_BOTH;
	if (c->guest_shut & ~before & VIRTIO_VSOCK_SHUTDOWN_SEND && c->ops->finish)
		c->ops->finish(c);
	return true;
}

static bool take_bytes(struct vsock_conn *c, const struct virtio_vsock_hdr *h, struct span *bytes)
{
	uint32_t size = (uint32_t)bytes->size;

	(void)h;
	if (c->state != VSOCK_OPEN || c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_SEND ||
	    size > VSOCK_CREDIT - (c->got - c->taken))
		return false;
	c->got += size;
	return !size || c->ops->put(c, bytes);
}

static bool take_credit(struct vsock_conn *c, const struct virtio_vsock_hdr *h, struct span *bytes)
{
	(void)bytes;
	if (h->op == htole16(VIRTIO_VSOCK_OP_CREDIT_REQUEST))
		c->owes |= OWES_CREDIT;
	return c->state == VSOCK_OPEN;
}

/* A reset, or a request for a stream that already exists, ends it, so neither has a row. */
static bool (*const conn_takes[])(struct vsock_conn *c, const struct virtio_vsock_hdr *h,
				  struct span *bytes) = {
	[VIRTIO_VSOCK_OP_RESPONSE] = take_response,
	[VIRTIO_VSOCK_OP_SHUTDOWN] = take_shutdown,
	[VIRTIO_VSOCK_OP_RW] = take_bytes,
	[VIRTIO_VSOCK_OP_CREDIT_UPDATE] = take_credit,
	[VIRTIO_VSOCK_OP_CREDIT_REQUEST] = take_credit,
};

static void conn_note_credit(struct vsock_conn *c, const struct virtio_vsock_hdr *h)
{
	c->peer_alloc = le32toh(h->buf_alloc);
	c->peer_fwd = le32toh(h->fwd_cnt);
}

bool vsock_conn_take(struct vsock_conn *c, const struct virtio_vsock_hdr *h, struct span *bytes)
{
	uint16_t op = le16toh(h->op);

	conn_note_credit(c, h);
	return op < ARRAY_SIZE(conn_takes) && conn_takes[op] && conn_takes[op](c, h, bytes);
}

void vsock_conn_accept(struct vsock_conn *c, const struct virtio_vsock_hdr *h)
{
	c->host_port = le32toh(h->dst_port);
	c->guest_port = le32toh(h->src_port);
	c->state = VSOCK_OPEN;
	c->owes = OWES_RESPONSE;
	c->guest_shut = c->host_shut = 0;
	c->sent = c->got = c->taken = c->told = 0;
	c->readable = true;
	conn_note_credit(c, h);
}

void vsock_taken(struct vsock_conn *c, uint32_t n)
{
	c->taken += n;
	if (c->taken - c->told >= CREDIT_TOLD && c->state == VSOCK_OPEN)
		c->owes |= OWES_CREDIT;
}

bool vsock_conn_makes_sense(const struct vsock_conn *c)
{
	return (c->state == VSOCK_CLOSED || c->state == VSOCK_OPEN) && !(c->owes & ~OWES_ALL) &&
	       c->guest_shut <= SHUT_BOTH && c->host_shut <= SHUT_BOTH &&
	       c->got - c->taken <= VSOCK_CREDIT;
}
