/* datagrams.h - one flow of UDP: frames (wire/datagram.h) on a stream of the host, datagrams to and
 * from 127.0.0.1:<port>, or [::1]:<port>, by a socket of its own.
 *
 * Nobody can say whether an application waits for datagrams, so a flow begins in any case.  What
 * the application does not take is lost, as everywhere.  What the host does not read stays in the
 * socket, where the kernel drops what comes beyond its room. */
#ifndef GUEST_DATAGRAMS_H
#define GUEST_DATAGRAMS_H

#include "base/buf.h"
#include "base/loop.h"

struct datagrams {
	struct loop *loop; /* borrowed */
	struct watch from_host, from_app;
	int host, app; /* owned; app -1: none yet */
	struct buf in; /* of the host, from the start of a frame on */
	struct buf out;
	uint16_t port;
	bool six, settled;                 /* settled: the application is there, on this address */
	void (*done)(struct datagrams *d); /* it is over: call datagrams_close */
};

/* Takes @host over, with the bytes that came behind the line. */
int datagrams_open(struct datagrams *d, struct loop *l, int host, uint16_t port,
		   const struct buf *early, void (*done)(struct datagrams *d),
		   struct err *e) must_check;
void datagrams_close(struct datagrams *d); /* harmless if it was not opened */

#endif
