/* datagram_flow.h - one flow of a published port of UDP: the way of its datagrams into the guest
 * and back (datagram_port.h). */
#ifndef PROXY_DATAGRAM_FLOW_H
#define PROXY_DATAGRAM_FLOW_H

#include "net/quota.h"
#include "proxy/caller.h"
#include "proxy/flows.h"
#include "proxy/publication.h"

#define FLOW_LOCAL ROUTE_FLOW_LOCAL /* room for a control message that names an address of ours */

/* Where a datagram came from, and where it arrived. */
struct flow_address {
	struct sockaddr_storage from;
	socklen_t from_size;
	size_t local_size;
	_Alignas(8) uint8_t local[FLOW_LOCAL]; /* as sendmsg takes it */
};

struct datagram_flow {
	struct caller caller;
	struct flow_node node;
	struct list in_batch; /* it has datagrams of this batch */
	struct publication *pub;
	struct flows *flows;         /* borrowed, of the port */
	struct quota_source *source; /* borrowed */
	struct flow_address at;
	struct conn *guest; /* owned; NULL: not inside yet */
	struct buf out;     /* frames that wait for the guest, or for the end of the batch */
	struct buf in;      /* the start of a frame of the guest */
	size_t n_out;       /* frames in `out` */
	uint64_t dropped;
};

/* NULL: it may not come, or there is no room. */
struct datagram_flow *flow_new(struct publication *pub, struct flows *flows,
			       const struct flow_address *at, const uint8_t key[FLOW_KEY]);
/* One that another worker gave away; takes over its stream into the guest. */
void flow_take(struct publication *pub, struct flows *flows, const struct flow_address *at,
	       const uint8_t key[FLOW_KEY], int guest);
/* Give it to another worker.  False: not now, since something of it waits here. */
bool flow_give(struct datagram_flow *f);
/* *f may be gone afterwards, as after flow_flush. */
void flow_put(struct datagram_flow *f, const void *datagram, size_t size);
void flow_flush(struct datagram_flow *f); /* the batch is over */
void flow_end(struct datagram_flow *f);

#endif
