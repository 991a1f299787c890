/* net.h - virtio-net (virtio 1.2, 5.1) over a tap.  Both use the same packet header, so checksums
 * and segmentation are left to the last one that needs them.
 *
 * Packets are read directly into the guest's buffers and written directly from them.  Receive
 * buffers are taken off the ring in advance, as many as the largest packet needs, and are given
 * back unused when the machine pauses.  Everything runs in the loop. */
#ifndef VMM_DEV_NET_H
#define VMM_DEV_NET_H

#include <linux/virtio_net.h>

#include "vmm/virtio/device.h"

#define NET_HEADER sizeof(struct virtio_net_hdr_v1)
#define NET_PACKET (NET_HEADER + 65535 + 18)   /* the largest, with a VLAN's header */
#define NET_FRAME  (NET_HEADER + 1518)         /* the largest of a guest without segmentation */
#define NET_HELD   64                          /* chains */
#define NET_SEGS   (3 * NET_HELD + VQ_SEG_MAX) /* three for each, and for any one more */

/* A chain for packets to come. */
struct net_buffer {
	uint16_t head, segs;
	uint32_t size;
};

struct net {
	struct virtio_dev dev;
	struct virtio_net_config config;
	struct watch watch; /* for edges: what is ready is remembered */
	int tap;            /* borrowed; non-blocking, with vnet headers of 12 bytes */
	bool readable;
	/* In the order of the ring; seg is theirs, one behind the other. */
	struct net_buffer held[NET_HELD];
	struct iovec seg[NET_SEGS];
	unsigned n_held, n_segs;
	size_t room;
};

/* @n is zero. */
int net_init(struct net *n, struct loop *l, const struct mem *mem, int tap,
	     struct err *e) must_check;
void net_close(struct net *n);

#endif
