/* agent.h - the guest agent's byte stream between the guest's port and whoever owns the machine.
 *
 * Owners come and go in the middle of it, so it is cut at frames (ipc/agent.h) and only there: the
 * guest gets a frame when all of it is here, an owner gets whole frames.  Their content is not
 * read. With no owner, or one that does not keep up, LIMIT_AGENT_HELD bytes wait, and then there is
 * no room for more: the guest's writes block.
 *
 * Memory alone.  What carries the bytes to the guest (qemu/port.h, vmm/agent.h) takes them off
 * to_guest and gives what comes as far as there is room. */
#ifndef MACHINE_AGENT_H
#define MACHINE_AGENT_H

#include "base/buf.h"
#include "base/err.h"

struct agent {
	struct buf from_guest;
	struct buf from_owner; /* begins with a frame, of which bytes are missing */
	struct buf to_guest;   /* whole frames that the guest did not take yet */
	bool open;             /* there is a guest */
	bool broken;
	/* Give whole frames to the owner; false: not now, agent_kick will come. */
	bool (*deliver)(struct agent *a, const uint8_t *frames, size_t size);
	/* What the guest sends are no frames; told once, then there is no room any more. */
	void (*fault)(struct agent *a);
	/* There is more for the guest, or more room for what comes from it. */
	void (*moved)(struct agent *a);
};

/* Bytes that an earlier machine had from the guest when it was saved. */
void agent_preset(struct agent *a, const uint8_t *data, size_t size);
void agent_free(struct agent *a);

/* Bytes of the owner, cut anywhere. */
int agent_put_bytes(struct agent *a, const uint8_t *data, size_t size, struct err *e) must_check;
void agent_owner_left(struct agent *a); /* the begin of a frame that it left is dropped */
void agent_kick(struct agent *a);       /* the owner can take bytes (again) */

/* Of the guest's port. */
size_t agent_room(const struct agent *a);                           /* bytes of the guest, now */
void agent_give(struct agent *a, const uint8_t *data, size_t size); /* at most that many */
void agent_took(struct agent *a, size_t size); /* the guest has the first bytes of to_guest */

#endif
