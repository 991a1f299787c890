/* slot.h - network slots: a namespace, a veth pair to the host and a tap in it, with rules.
 *
 * All slots look the same inside (ipc/agent.h), so that a snapshot fits each of them. A child makes
 * a slot in about 15 ms. Spare slots are kept, and a slot that is given back becomes one.
 * <run_dir>/netns/<slot> is its namespace. */
#ifndef PRIV_SLOT_H
#define PRIV_SLOT_H

#include "base/loop.h"
#include "priv/child.h"
#include "priv/names.h"

enum slot_state {
	SLOT_ABSENT,
	SLOT_MAKING,
	SLOT_SPARE,
	SLOT_TAKEN,
};

struct slots {
	struct loop *loop;
	const struct names *names; /* borrowed */
	struct mnl_socket *host;
	char *netns_dir;
	int own_netns;
	uint8_t state[NAMES_SLOTS]; /* enum slot_state */
	unsigned spare_wanted, n_spare, n_making;
	bool failing; /* the last slot could not be made, and the timer tries again */
	struct list waiting;
	struct timer refill;
};

/* The struct is embedded in the one that waits for a slot. */
struct slot_wait {
	struct list in;
	/* @slot is -1 if there is none, and *e says why. */
	void (*got)(struct slot_wait *w, int slot, const struct err *e);
};

int slots_init(struct slots *s, struct loop *l, const struct names *n, const char *run_dir,
	       unsigned spare, struct err *e) must_check;
void slots_adopt(struct slots *s, uint32_t slot); /* it belongs to a machine that lives */
void slots_sweep(struct slots *s);                /* removes all that are not taken */
void slots_start(struct slots *s);                /* begins to make spare ones */
void slots_stop(struct slots *s);

/* got() is called once, at once or later, unless slot_forget() withdraws the waiter. */
void slot_take(struct slots *s, struct slot_wait *w);
void slot_forget(struct slot_wait *w);
/* Cuts a taken slot off from the network until it is given back. */
int slot_close(struct slots *s, uint32_t slot, struct err *e) must_check;
/* Its tenant reaches SLOT_API_IP, until it gives the slot back. */
int slot_open_api(struct slots *s, uint32_t slot, struct err *e) must_check;
void slot_give(struct slots *s, uint32_t slot);

char *slot_netns_path(const struct slots *s, uint32_t slot); /* owned by the caller */

#endif
