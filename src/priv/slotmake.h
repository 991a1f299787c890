/* slotmake.h - how one slot is made and unmade, and its tap opened. */
#ifndef PRIV_SLOTMAKE_H
#define PRIV_SLOTMAKE_H

#include "priv/names.h"

struct slot_plan {
	const struct names *names;
	const char *netns_path;
	uint32_t slot;
};

/* For a child: make it all, end as nft.  @plan is a struct slot_plan.  1: failed, logged. */
int slot_make(void *plan);

/* Let go of the namespace: the kernel takes it down by itself, with the pair, if nobody is in it.
 * Until then the pair's name and address show that the slot is not free. */
void slot_unmake(const char *netns_path);

/* For a process that is in the slot's namespace: the tap's queue, or -1. */
int slot_open_tap(struct err *e) must_check;

#endif
