#include "vmm/dev/net.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <linux/virtio_ids.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "base/log.h"
#include "ipc/agent.h"
#include "vmm/virtio/core.h"
#include "vmm/virtio/queue.h"

#define RX      0
#define TX      1
#define QUEUES  2
#define AT_ONCE 64 /* packets each way, before the loop looks at all else */

static struct net *net_of(struct virtio_dev *dev)
{
	return container_of(dev, struct net, dev);
}

/* Tell the tap which offloads the driver agreed to. */
static void net_offload(const struct net *n)
{
	static const struct {
		unsigned feature;
		unsigned long flag;
	} rows[] = { { VIRTIO_NET_F_GUEST_CSUM, TUN_F_CSUM },
		     { VIRTIO_NET_F_GUEST_TSO4, TUN_F_TSO4 },
		     { VIRTIO_NET_F_GUEST_TSO6, TUN_F_TSO6 },
		     { VIRTIO_NET_F_GUEST_ECN, TUN_F_TSO_ECN } };
	unsigned long flags = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (virtio_has(&n->dev, rows[i].feature))
			flags |= rows[i].flag;
	if (!(flags & TUN_F_CSUM))
		flags = 0; /* the rest needs it */
	if (ioctl(n->tap, TUNSETOFFLOAD, flags))
		log_warn("the tap does not take the guest's offloads cause='%s'", strerror(errno));
}

/* Of what it holds nothing more can come: the ring has no other, or there is no place for one. */
static bool net_is_full(const struct net *n)
{
	return n->n_held == NET_HELD || n->n_held == n->dev.vq[RX].size ||
	       n->n_segs > NET_SEGS - VQ_SEG_MAX;
}

/* One more chain for packets to come; false: there is none. */
static bool net_hold(struct net *n)
{
	struct vq_chain c;

	if (net_is_full(n) || !vq_pop(&n->dev.vq[RX], &c))
		return false;
	if (c.out.size || c.in.size < NET_HEADER) {
		virtio_fault(&n->dev, "a buffer for packets that holds none");
		return false;
	}
	memcpy(&n->seg[n->n_segs], c.in.at, c.in.n * sizeof(*n->seg));
	n->held[n->n_held++] = (struct net_buffer){ c.head, (uint16_t)c.in.n, (uint32_t)c.in.size };
	n->n_segs += c.in.n;
	n->room += c.in.size;
	return true;
}

/* Room for the next packet, whatever it is; where no more can be held it gets what fits. */
static bool net_prepare(struct net *n)
{
	bool merge = virtio_has(&n->dev, VIRTIO_NET_F_MRG_RXBUF);
	bool large = virtio_has(&n->dev, VIRTIO_NET_F_GUEST_TSO4) ||
		     virtio_has(&n->dev, VIRTIO_NET_F_GUEST_TSO6);
	size_t most = large ? NET_PACKET : NET_FRAME;

	if (!merge)
		return n->n_held || net_hold(n);
	while (n->room < most && net_hold(n))
		;
	return n->room >= most || net_is_full(n);
}

/* The first @count chains go back, with @size bytes in all. */
static void net_give(struct net *n, unsigned count, size_t size)
{
	unsigned segs = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct net_buffer *b = &n->held[i];
		size_t part = b->size < size ? b->size : size;

		vq_push_head(&n->dev.vq[RX], b->head, part);
		size -= part;
		segs += b->segs;
		n->room -= b->size;
	}
	n->n_held -= count;
	n->n_segs -= segs;
	memmove(n->held, n->held + count, n->n_held * sizeof(*n->held));
	memmove(n->seg, n->seg + segs, n->n_segs * sizeof(*n->seg));
}

/* num_buffers, which the tap leaves alone; a header may be in pieces. */
static void net_say_buffers(const struct net *n, uint16_t count)
{
	const uint8_t bytes[] = { (uint8_t)count, (uint8_t)(count >> 8) };
	size_t at = offsetof(struct virtio_net_hdr_v1, num_buffers);

	for (unsigned i = 0, put = 0; i < n->n_segs && put < sizeof(bytes); i++) {
		for (; put < sizeof(bytes) && at < n->seg[i].iov_len; at++)
			((uint8_t *)n->seg[i].iov_base)[at] = bytes[put++];
		at -= n->seg[i].iov_len;
	}
}

/* false: no packet, or no room for it */
static bool net_receive(struct net *n)
{
	unsigned segs, count = 0;
	size_t covered = 0;
	ssize_t got;

	if (!net_prepare(n))
		return false;
	segs = virtio_has(&n->dev, VIRTIO_NET_F_MRG_RXBUF) ? n->n_segs : n->held[0].segs;
	do
		got = readv(n->tap, n->seg, (int)segs);
	while (got < 0 && errno == EINTR);
	if (got < (ssize_t)NET_HEADER) {
		n->readable = got >= 0; /* what has no header is passed over */
		return got >= 0;
	}
	while (covered < (size_t)got)
		covered += n->held[count++].size;
	net_say_buffers(n, (uint16_t)count);
	net_give(n, count, (size_t)got);
	return true;
}

static void net_pump(struct net *n)
{
	unsigned done = 0;

	if (!n->dev.vq[RX].running || n->dev.drained)
		return;
	while (done < AT_ONCE && n->readable && net_receive(n))
		done++;
	vq_notify(&n->dev.vq[RX]);
	if (done == AT_ONCE)
		virtio_kick_later(&n->dev);
}

/* A packet that the host refuses is lost, as on any wire.  False if the tap takes nothing now. */
static bool net_send(const struct net *n, const struct span *packet)
{
	ssize_t done;

	if (packet->size > NET_PACKET)
		return true;
	do
		done = writev(n->tap, packet->at, (int)packet->n);
	while (done < 0 && errno == EINTR);
	return done >= 0 || errno != EAGAIN;
}

static void net_transmit(struct net *n)
{
	struct vq *vq = &n->dev.vq[TX];
	struct vq_chain c;
	unsigned done = 0;

	for (; done < AT_ONCE && vq_pop(vq, &c); done++) {
		if (c.in.size || c.out.size < NET_HEADER) {
			virtio_fault(&n->dev, "a packet without its header");
			return;
		}
		if (!net_send(n, &c.out)) {
			vq_unpop(vq); /* the tap says when */
			break;
		}
		vq_push(vq, &c, 0);
	}
	vq_notify(vq);
	if (done == AT_ONCE)
		virtio_kick_later(&n->dev);
}

static void net_kick(struct virtio_dev *dev, unsigned q)
{
	if (q == RX)
		net_pump(net_of(dev));
	else
		net_transmit(net_of(dev));
}

static void net_ready(struct watch *w, uint32_t events)
{
	struct net *n = container_of(w, struct net, watch);

	n->readable |= (events & EPOLLIN) != 0;
	virtio_kick(&n->dev, RX);
	if (events & EPOLLOUT)
		virtio_kick(&n->dev, TX);
}

static void net_start(struct virtio_dev *dev)
{
	struct net *n = net_of(dev);

	net_offload(n);
	n->readable = true;
	net_pump(n);
}

static void net_forget(struct virtio_dev *dev)
{
	struct net *n = net_of(dev);

	n->n_held = n->n_segs = 0;
	n->room = 0;
}

static void net_drain(struct virtio_dev *dev)
{
	for (unsigned i = net_of(dev)->n_held; i; i--)
		vq_unpop(&dev->vq[RX]);
	net_forget(dev);
}

static const struct virtio_ops net_ops = {
	.name = "net",
	.tag = "VNET",
	.id = VIRTIO_ID_NET,
	.n_queues = QUEUES,
	.features = 1ULL << VIRTIO_NET_F_MAC | 1ULL << VIRTIO_NET_F_CSUM |
		    1ULL << VIRTIO_NET_F_GUEST_CSUM | 1ULL << VIRTIO_NET_F_HOST_TSO4 |
		    1ULL << VIRTIO_NET_F_HOST_TSO6 | 1ULL << VIRTIO_NET_F_HOST_ECN |
		    1ULL << VIRTIO_NET_F_GUEST_TSO4 | 1ULL << VIRTIO_NET_F_GUEST_TSO6 |
		    1ULL << VIRTIO_NET_F_GUEST_ECN | 1ULL << VIRTIO_NET_F_MRG_RXBUF,
	.kick = net_kick,
	.start = net_start,
	.reset = net_forget,
	.drain = net_drain,
};

int net_init(struct net *n, struct loop *l, const struct mem *mem, int tap, struct err *e)
{
	n->tap = tap;
	n->config = (struct virtio_net_config){ .mac = SLOT_GUEST_MAC_BYTES };
	n->dev.config = &n->config;
	n->dev.config_size = sizeof(n->config.mac);
	if (virtio_init(&n->dev, &net_ops, l, mem, e))
		return -1;
	return l ? loop_watch(l, &n->watch, tap, EPOLLIN | EPOLLOUT | EPOLLET, net_ready, e) : 0;
}

void net_close(struct net *n)
{
	if (n->dev.loop)
		loop_unwatch(n->dev.loop, &n->watch);
	virtio_close(&n->dev);
}
