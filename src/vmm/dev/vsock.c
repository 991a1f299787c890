#include "vmm/dev/vsock.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <linux/vm_sockets.h>
#include <string.h>

#include "vmm/virtio/core.h"
#include "vmm/virtio/queue.h"

#define HEADER_SIZE sizeof(struct virtio_vsock_hdr)
#define RX          0
#define TX          1
#define QUEUES      3 /* the third is for events of the device; there are none */
#define AT_ONCE     64
#define FIRST_PORT  1024 /* of the host's streams */

static struct vsock *vsock_of(struct virtio_dev *dev)
{
	return container_of(dev, struct vsock, dev);
}

static struct vsock_conn **vsock_slot(struct vsock *v, uint32_t host_port)
{
	return &v->streams[(host_port - FIRST_PORT) % VSOCK_STREAMS];
}

static struct vsock_conn *vsock_find(struct vsock *v, uint32_t host_port, uint32_t guest_port)
{
	struct vsock_conn *c = v->own;

	if (host_port != v->listen_port)
		c = *vsock_slot(v, host_port);
	return c && c->state != VSOCK_CLOSED && c->host_port == host_port &&
			       c->guest_port == guest_port
		       ? c
		       : NULL;
}

static void vsock_owe_reset(struct vsock *v, uint32_t host_port, uint32_t guest_port)
{
	struct vsock_reset r = { host_port, guest_port };

	assert(v->n_resets < VSOCK_RESETS);
	v->resets[(v->first_reset + v->n_resets++) % VSOCK_RESETS] = r;
}

static void vsock_forget(struct vsock_conn *c)
{
	struct vsock *v = c->vsock;

	list_del(&c->due);
	c->state = VSOCK_CLOSED;
	if (c == v->own)
		return;
	*vsock_slot(v, c->host_port) = NULL;
	v->n_streams--;
}

static void vsock_end(struct vsock_conn *c)
{
	bool refused = c->state == VSOCK_ASKED;

	vsock_forget(c);
	c->ops->closed(c, refused);
}

/* The guest's view of it ends too. */
static void vsock_break(struct vsock_conn *c)
{
	vsock_owe_reset(c->vsock, c->host_port, c->guest_port);
	vsock_end(c);
}

/* Into the list, or out of the world. */
static void vsock_settle(struct vsock_conn *c)
{
	if (vsock_conn_is_over(c))
		vsock_break(c);
	else if (c->state != VSOCK_CLOSED && list_empty(&c->due) && vsock_conn_is_due(c))
		list_add(&c->vsock->due, &c->due);
}

static size_t vsock_fill_reset(struct vsock *v, struct vq_chain *chain)
{
	struct vsock_reset r = v->resets[v->first_reset];
	struct virtio_vsock_hdr h = vsock_header(v, r.host_port, r.guest_port, VIRTIO_VSOCK_OP_RST);

	v->first_reset = (v->first_reset + 1) % VSOCK_RESETS;
	v->n_resets--;
	span_put(&chain->in, &h, sizeof(h));
	return sizeof(h);
}

/* Its turn ends after one packet. */
static size_t vsock_fill_conn(struct vsock_conn *c, struct vq_chain *chain)
{
	ssize_t n;

	list_del(&c->due);
	n = vsock_conn_fill(c, chain);
	if (n < 0)
		vsock_break(c);
	else
		vsock_settle(c);
	return n < 0 ? 0 : (size_t)n;
}

/* Returns false if no packet is due or there is no room for it. */
static bool vsock_pump_one(struct vsock *v)
{
	struct vsock_conn *c = list_first(&v->due, struct vsock_conn, due);
	struct vq *vq = &v->dev.vq[RX];
	struct vq_chain chain;
	size_t n = 0;

	if ((!v->n_resets && !c) || !vq_pop(vq, &chain))
		return false;
	if (chain.out.size || chain.in.size <= HEADER_SIZE) {
		virtio_fault(&v->dev, "a buffer for packets that holds none");
		return false;
	}
	if (v->n_resets)
		n = vsock_fill_reset(v, &chain);
	else if (c)
		n = vsock_fill_conn(c, &chain);
	if (n)
		vq_push(vq, &chain, n);
	else
		vq_unpop(vq);
	return true;
}

/* Reading a host end may lead back here. */
static void vsock_pump(struct vsock *v)
{
	unsigned n = 0;

	if (v->pumping)
		return;
	v->pumping = true;
	while (n < AT_ONCE && vsock_pump_one(v))
		n++;
	v->pumping = false;
	vq_notify(&v->dev.vq[RX]);
	if (n == AT_ONCE)
		virtio_kick_later(&v->dev);
}

void vsock_kick(struct vsock_conn *c)
{
	struct vsock *v = c->vsock;

	vsock_settle(c);
	vsock_pump(v);
}

void vsock_readable(struct vsock_conn *c)
{
	c->readable = true;
	vsock_kick(c);
}

/* A packet for no stream, or one that its stream does not take. */
static void vsock_take(struct vsock *v, const struct virtio_vsock_hdr *h, struct span *bytes)
{
	uint32_t to = le32toh(h->dst_port), from = le32toh(h->src_port);
	struct vsock_conn *c = vsock_find(v, to, from);
	bool stream = h->type == htole16(VIRTIO_VSOCK_TYPE_STREAM);

	if (c && h->op == htole16(VIRTIO_VSOCK_OP_RST)) {
		vsock_end(c);
	} else if (c && (!stream || !vsock_conn_take(c, h, bytes))) {
		vsock_break(c);
	} else if (c) {
		vsock_settle(c);
	} else if (stream && h->op == htole16(VIRTIO_VSOCK_OP_REQUEST) && to == v->listen_port &&
		   v->own->state == VSOCK_CLOSED) {
		vsock_conn_accept(v->own, h);
		vsock_settle(v->own);
	} else if (h->op != htole16(VIRTIO_VSOCK_OP_RST)) {
		vsock_owe_reset(v, to, from);
	}
}

/* false: a chain that is no packet */
static bool vsock_parse(struct vsock *v, struct vq_chain *chain)
{
	struct virtio_vsock_hdr h;

	if (chain->in.size || !span_take(&chain->out, &h, sizeof(h)) ||
	    le32toh(h.len) > chain->out.size)
		return false;
	span_trim(&chain->out, le32toh(h.len));
	if (le64toh(h.dst_cid) == VMADDR_CID_HOST && h.src_cid == v->config.guest_cid)
		vsock_take(v, &h, &chain->out);
	return true;
}

/* While the guest does not take resets, its packets are not read. */
static void vsock_hear(struct vsock *v)
{
	struct vq *vq = &v->dev.vq[TX];
	struct vq_chain chain;
	unsigned n = 0;

	for (; n < AT_ONCE && v->n_resets < VSOCK_HEARD && vq_pop(vq, &chain); n++) {
		if (!vsock_parse(v, &chain)) {
			virtio_fault(&v->dev, "a packet without its header or its bytes");
			return;
		}
		vq_push(vq, &chain, 0);
	}
	vq_notify(vq);
	if (n == AT_ONCE)
		virtio_kick_later(&v->dev);
}

static void vsock_kicked(struct virtio_dev *dev, unsigned q)
{
	struct vsock *v = vsock_of(dev);
	bool stuck = v->n_resets >= VSOCK_HEARD;

	if (q == TX)
		vsock_hear(v);
	vsock_pump(v);
	if (stuck && q == RX)
		virtio_kick_later(dev);
}

static void vsock_started(struct virtio_dev *dev)
{
	struct vsock *v = vsock_of(dev);

	if (v->own->state == VSOCK_OPEN)
		vsock_settle(v->own);
	vsock_pump(v);
}

static void vsock_reset(struct virtio_dev *dev)
{
	struct vsock *v = vsock_of(dev);

	for (size_t i = 0; i < VSOCK_STREAMS && v->n_streams; i++)
		if (v->streams[i])
			vsock_end(v->streams[i]);
	if (v->own->state != VSOCK_CLOSED)
		vsock_end(v->own);
	v->n_resets = 0;
}

static bool vsock_loaded(struct virtio_dev *dev)
{
	return le64toh(vsock_of(dev)->config.guest_cid) == VSOCK_GUEST_CID;
}

static const struct snap_field vsock_saved[] = {
	SNAP(1, struct vsock, next),
	SNAP_END,
};

static const struct virtio_ops vsock_ops = {
	.name = "vsock",
	.tag = "VSOC",
	.id = VIRTIO_ID_VSOCK,
	.n_queues = QUEUES,
	.saved = vsock_saved,
	.kick = vsock_kicked,
	.start = vsock_started,
	.reset = vsock_reset,
	.loaded = vsock_loaded,
};

int vsock_init(struct vsock *v, struct loop *l, const struct mem *mem, uint32_t listen_port,
	       struct vsock_conn *own, const struct vsock_end_ops *ops, struct err *e)
{
	v->config.guest_cid = htole64(VSOCK_GUEST_CID);
	v->dev.config = &v->config;
	v->dev.config_size = sizeof(v->config);
	list_init(&v->due);
	v->listen_port = listen_port;
	v->own = own;
	own->ops = ops;
	own->vsock = v;
	list_init(&own->due);
	return virtio_init(&v->dev, &vsock_ops, l, mem, e);
}

void vsock_close(struct vsock *v)
{
	vsock_reset(&v->dev);
	virtio_close(&v->dev);
}

/* Port numbers are not reused soon, because the guest may remember an old stream for a while. */
bool vsock_connect(struct vsock *v, struct vsock_conn *c, uint32_t guest_port,
		   const struct vsock_end_ops *ops)
{
	for (unsigned i = 0; i < VSOCK_STREAMS && v->n_streams + v->n_resets < VSOCK_STREAMS; i++) {
		uint32_t n = v->next++ % (UINT32_MAX - FIRST_PORT);

		if (v->streams[n % VSOCK_STREAMS])
			continue;
		*c = (struct vsock_conn){ .ops = ops,
					  .vsock = v,
					  .host_port = FIRST_PORT + n,
					  .guest_port = guest_port };
		list_init(&c->due);
		*vsock_slot(v, c->host_port) = c;
		v->n_streams++;
		vsock_conn_ask(c);
		vsock_kick(c);
		return true;
	}
	return false;
}

void vsock_abort(struct vsock_conn *c)
{
	struct vsock *v = c->vsock;

	vsock_owe_reset(v, c->host_port, c->guest_port);
	vsock_forget(c);
	vsock_pump(v);
}
