/* agent.h - the guest agent's byte stream between the guest's port and whoever owns the machine.
 *
 * An owner can leave at any moment and another one take over, so the stream is passed on in whole
 * frames (ipc/agent.h), in both directions.  The content of a frame is not read.  Without an owner,
 * or with one that is too slow, up to LIMIT_AGENT_HELD bytes wait; then the guest's writes block.
 *
 * This file moves bytes in memory only.  The carrier to the guest (qemu/port.h, vmm/agent.h) takes
 * bytes from to_guest, and gives what the guest sends as far as there is room. */
#ifndef MACHINE_AGENT_H
#define MACHINE_AGENT_H

#include "base/buf.h"
#include "base/err.h"

struct agent {
	struct buf from_guest;
	struct buf from_owner; /* starts with an incomplete frame */
	struct buf to_guest;   /* whole frames that the guest has not taken yet */
	bool open;             /* there is a guest */
	bool broken;
	/* Give whole frames to the owner.  False if it cannot take them now; agent_kick follows. */
	bool (*deliver)(struct agent *a, const uint8_t *frames, size_t size);
	/* The guest sent something that is not a frame.  Called once; nothing is taken afterwards.
	 */
	void (*fault)(struct agent *a);
	/* There is more for the guest, or more room for what comes from it. */
	void (*moved)(struct agent *a);
};

/* Put back the bytes of the guest that were undelivered when its machine was saved. */
void agent_preset(struct agent *a, const uint8_t *data, size_t size);
void agent_free(struct agent *a);

/* Take bytes of the owner, split anywhere. */
int agent_put_bytes(struct agent *a, const uint8_t *data, size_t size, struct err *e) must_check;
void agent_owner_left(struct agent *a); /* drops the incomplete frame that it left */
void agent_kick(struct agent *a);       /* the owner can take bytes (again) */

/* For the guest's port. */
size_t agent_room(const struct agent *a); /* bytes that can be taken now */
void agent_give(struct agent *a, const uint8_t *data, size_t size); /* at most that many */
void agent_took(struct agent *a, size_t size); /* the guest has the first bytes of to_guest */

#endif
