/* agent.h - the guest agent's byte stream between QEMU's port and whoever owns the machine.
 *
 * Owners come and go in the middle of it, so it is cut at frames (ipc/agent.h) and only there: the
 * guest gets a frame when all of it is here, an owner gets whole frames.  Their content is not
 * read. With no owner, or one that does not keep up, LIMIT_AGENT_HELD bytes wait and then the port
 * is not read: the guest's writes block. */
#ifndef MACHINE_AGENT_H
#define MACHINE_AGENT_H

#include "base/buf.h"
#include "base/loop.h"

struct agent {
	struct loop *loop; /* borrowed */
	struct watch watch;
	int fd; /* owned: our end of the port's socket; -1: closed */
	struct buf from_guest;
	struct buf from_owner; /* begins with a frame, of which bytes are missing */
	struct buf to_guest;   /* whole frames that the port did not take yet */
	bool broken;
	/* Give whole frames to the owner; false: not now, agent_kick will come. */
	bool (*deliver)(struct agent *a, const uint8_t *frames, size_t size);
	/* What the guest sends are no frames; told once, then the port is not read any more. */
	void (*fault)(struct agent *a);
};

void agent_init(struct agent *a, struct loop *l);
/* Bytes that an earlier machine had from the guest when it was saved. */
void agent_preset(struct agent *a, const uint8_t *data, size_t size);
int agent_open(struct agent *a, int fd, struct err *e) must_check;
void agent_close(struct agent *a);

/* Bytes of the owner, cut anywhere. */
int agent_put_bytes(struct agent *a, const uint8_t *data, size_t size, struct err *e) must_check;
void agent_owner_left(struct agent *a); /* the begin of a frame that it left is dropped */
void agent_kick(struct agent *a);       /* the owner can take bytes (again) */

void agent_drain(struct agent *a);          /* read what the port has, now */
size_t agent_unsent(const struct agent *a); /* bytes that the guest has not taken */

#endif
