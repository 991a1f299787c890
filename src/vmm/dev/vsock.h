/* vsock.h - virtio-vsock (virtio 1.2, 5.10): byte streams between this process and the guest's
 * ports.
 *
 * There are two kinds: many that the host opens to ports of the guest (vmm/stream.h), and one that
 * the guest opens to the port that is listened on (vmm/agent.h).  The guest's own is part of a
 * snapshot, with all its counters.  The host's are not, and the guest gets resets for them when it
 * runs again.
 *
 * The device knows no descriptor; a stream's host end is a struct vsock_end_ops.  Credit bounds
 * what is in flight: the guest may send VSOCK_CREDIT bytes beyond what the host end has taken, and
 * a stream that exceeds it is reset.  Streams with something for the guest are in `due` and take
 * turns, one packet each.  Everything runs in the loop. */
#ifndef VMM_DEV_VSOCK_H
#define VMM_DEV_VSOCK_H

#include <linux/virtio_vsock.h>

#include "base/list.h"
#include "vmm/virtio/device.h"

#define VSOCK_GUEST_CID 3
#define VSOCK_CREDIT    (64 * KIB)
#define VSOCK_STREAMS   1024 /* that the host opened, at once */
#define VSOCK_HEARD     64   /* with more resets under way the guest is not heard */
#define VSOCK_RESETS    (VSOCK_STREAMS + VSOCK_HEARD + 2)

struct vsock;
struct vsock_conn;

/* The host end of a stream.  Of these only read() may end the stream itself. */
struct vsock_end_ops {
	/* Give bytes for the guest.  Returns their number, 0 if no more will come, -EAGAIN if there
	 * are none now, or another -errno if the stream broke. */
	ssize_t (*read)(struct vsock_conn *c, const struct iovec *to, unsigned n);
	/* Keep or pass on all these bytes of the guest.  At most VSOCK_CREDIT can be waiting for
	 * vsock_taken.  False if the stream broke. */
	bool (*put)(struct vsock_conn *c, struct span *bytes);
	/* The guest will send no more.  May be NULL. */
	void (*finish)(struct vsock_conn *c);
	/* It accepted.  May be NULL. */
	void (*opened)(struct vsock_conn *c);
	/* The stream has ended and is forgotten.  @refused: it was never open. */
	void (*closed)(struct vsock_conn *c, bool refused);
};

enum vsock_state { VSOCK_CLOSED, VSOCK_ASKED, VSOCK_OPEN };

struct vsock_conn {
	const struct vsock_end_ops *ops; /* borrowed */
	struct vsock *vsock;             /* borrowed */
	struct list due;                 /* in the device's list, or alone */
	bool readable;                   /* the host end may have something */
	uint32_t state;                  /* enum vsock_state */
	uint32_t host_port, guest_port;
	uint32_t owes;                       /* packets without data (vsock_conn.c) */
	uint32_t guest_shut, host_shut;      /* VIRTIO_VSOCK_SHUTDOWN_*, as said */
	uint32_t sent, peer_alloc, peer_fwd; /* to the guest, and its credit */
	uint32_t got, taken, told;           /* from the guest: all; passed on; as said */
};

struct vsock_reset {
	uint32_t host_port, guest_port;
};

struct vsock {
	struct virtio_dev dev;
	struct virtio_vsock_config config;
	struct list due;
	bool pumping;
	uint32_t listen_port;
	struct vsock_conn *own; /* the one that the guest opened; borrowed */
	uint32_t next;          /* number of the next stream of the host */
	uint32_t n_streams;
	/* A ring of the resets that the guest must still get.  n_streams + n_resets stays below
	 * VSOCK_RESETS, because a stream becomes a reset, and neither the host nor the guest can
	 * add one beyond its share. */
	uint32_t first_reset, n_resets;
	struct vsock_conn *streams[VSOCK_STREAMS]; /* by number; borrowed */
	struct vsock_reset resets[VSOCK_RESETS];
};

/* @v and @own must be zero.  One stream of the guest to @listen_port is accepted at a time.  It is
 * @own, with the host end @ops. */
int vsock_init(struct vsock *v, struct loop *l, const struct mem *mem, uint32_t listen_port,
	       struct vsock_conn *own, const struct vsock_end_ops *ops, struct err *e) must_check;
void vsock_close(struct vsock *v);

/* Open a stream to the guest's port.  @c must be zero; the caller owns it and keeps it until
 * closed() or vsock_abort.  False if there are too many streams. */
bool vsock_connect(struct vsock *v, struct vsock_conn *c, uint32_t guest_port,
		   const struct vsock_end_ops *ops);
/* Bytes of the guest have been passed on.  Outside put(), call vsock_kick afterwards. */
void vsock_taken(struct vsock_conn *c, uint32_t n);
/* Send the guest what is due; this may call closed().  readable: read() may have something. */
void vsock_kick(struct vsock_conn *c);
void vsock_readable(struct vsock_conn *c);
void vsock_abort(struct vsock_conn *c); /* the host end is gone; no closed() */

/* vsock_save.c - the records of a drained device, apart from the device's own: the guest's own
 * stream, and the host's, for which the guest gets resets when it runs again. */
#define VSOCK_OWN_TAG     "VSKO"
#define VSOCK_STREAMS_TAG "VSKS" /* there if there are any */
void vsock_save_streams(const struct vsock *v, struct buf *to);
int vsock_load_streams(struct vsock *v, struct rows *rows, struct err *e) must_check;

/* vsock_conn.c - one stream.  Fill @c->in of a chain with its next packet.  Returns the bytes, 0 if
 * it has none, or -1 if it broke. */
ssize_t vsock_conn_fill(struct vsock_conn *c, struct vq_chain *chain);
/* Take a packet of the guest for this stream.  False if it breaks the rules. */
bool vsock_conn_take(struct vsock_conn *c, const struct virtio_vsock_hdr *h, struct span *bytes);
bool vsock_conn_is_due(const struct vsock_conn *c);
bool vsock_conn_is_over(const struct vsock_conn *c); /* the guest is done, all is passed on */
void vsock_conn_ask(struct vsock_conn *c);           /* it is the host's, the guest has to answer */
void vsock_conn_accept(struct vsock_conn *c, const struct virtio_vsock_hdr *h);
bool vsock_conn_makes_sense(const struct vsock_conn *c); /* as loaded */
/* A header of the host for these ports. */
struct virtio_vsock_hdr vsock_header(const struct vsock *v, uint32_t host_port, uint32_t guest_port,
				     uint16_t op);

#endif
