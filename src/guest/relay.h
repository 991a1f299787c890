/* relay.h - copies bytes both ways between two stream sockets, with half-close and back-pressure.
 *
 * A peer may answer, close, and so refuse the rest of what it is sent: a server does that with an
 * upload that is too large.  A side that refuses bytes is therefore read to its end all the same,
 * and what still comes for it from the other side is read and dropped.  The relay ends when both
 * sides have ended, or when the other side has got all that the broken one had to say.
 *
 * A side is read only after everything read before was written to the other, so a relay holds at
 * most one piece each way.  A side that waits for nothing is not watched, so a broken or finished
 * socket cannot keep the loop awake.  In the common case a message costs one recv and one send. */
#ifndef GUEST_RELAY_H
#define GUEST_RELAY_H

#include "base/buf.h"
#include "base/loop.h"

struct relay_side {
	struct watch watch;
	struct relay *relay; /* borrowed */
	int fd;              /* owned, non-blocking; -1: none yet */
	struct buf rest;     /* must be written here before the other side is read again */
	bool ended;          /* nothing more comes from this side */
	bool shut;           /* nothing more is written to this side */
	bool deaf;           /* it refused bytes: those that come for it are dropped */
};

struct relay {
	struct loop *loop; /* borrowed */
	struct relay_side side[2];
	/* Both ways have ended, or a side broke and the other has got all of it.  Called from the
	 * relay's own events; must call relay_close. */
	void (*done)(struct relay *r, bool broken);
};

void relay_init(struct relay *r, struct loop *l, void (*done)(struct relay *r, bool broken));

/* Write what waits for this side, as far as it takes it; also before relay_start. */
void relay_write_now(struct relay_side *to);

/* Start, once both descriptors and the bytes that already wait to be written are set.  May call
 * done. */
void relay_start(struct relay *r);

/* Close both sides.  Harmless if done. */
void relay_close(struct relay *r);

#endif
