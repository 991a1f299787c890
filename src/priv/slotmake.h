/* slotmake.h - makes and unmakes one slot, and opens its tap. */
#ifndef PRIV_SLOTMAKE_H
#define PRIV_SLOTMAKE_H

#include "priv/names.h"

struct slot_plan {
	const struct names *names;
	const char *netns_path;
	uint32_t slot;
};

/* Runs in a child: makes everything and finally executes nft. @plan is a struct slot_plan. It
 * returns 1 only after a failure, which it logs. */
int slot_make(void *plan);

/* Releases the namespace. The kernel removes it together with the pair when nobody is in it any
 * more. Until then the pair's name and address show that the slot is not free. */
void slot_unmake(const char *netns_path);

/* Opens the tap's queue, or returns -1. The calling process must be in the slot's namespace. */
int slot_open_tap(struct err *e) must_check;

#endif
