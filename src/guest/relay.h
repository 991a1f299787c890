/* relay.h - bytes both ways between two stream sockets, with half-close and back-pressure.
 *
 * Each side is read only when all that was read before has been written to the other, so a relay
 * holds at most one piece each way.  A side that waits for nothing is not watched: a broken or
 * finished socket cannot keep the loop awake.  In the common case a message costs one recv and
 * one send. */
#ifndef GUEST_RELAY_H
#define GUEST_RELAY_H

#include "base/buf.h"
#include "base/loop.h"

struct relay_side {
	struct watch watch;
	struct relay *relay; /* borrowed */
	int fd;              /* owned, non-blocking; -1: none yet */
	struct buf rest;     /* to be written here before the other side is read again */
	bool ended;          /* nothing more comes from here */
	bool shut;           /* nothing more is written here */
};

struct relay {
	struct loop *loop; /* borrowed */
	struct relay_side side[2];
	/* Both ways are over, or a side broke.  Called from the relay's own events; calls
	 * relay_close.
	 */
	void (*done)(struct relay *r, bool broken);
};

void relay_init(struct relay *r, struct loop *l, void (*done)(struct relay *r, bool broken));

/* Begin, with both descriptors and what already waits to be written in place.  May call done. */
void relay_start(struct relay *r);

/* Close both sides.  Harmless if done. */
void relay_close(struct relay *r);

#endif
