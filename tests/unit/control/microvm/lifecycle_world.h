/* lifecycle_world.h - the world of the state machine: what the last step did, and a store that
 * answers when it is told to. */
#ifndef TESTS_CONTROL_LIFECYCLE_WORLD_H
#define TESTS_CONTROL_LIFECYCLE_WORLD_H

#include "control/microvm/lifecycle.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/model/model.h"

extern const char *did; /* NULL: no step was taken */
extern enum vm_state did_from;

extern struct fake_store {
	store_done *done;
	void *arg;
	enum vm_state state;
	char reason[128], machine[IPC_ID_SIZE];
	int64_t save;
	int commits;
} store;

void answer(int rc); /* to the commit that waits */
struct microvm *microvm(enum vm_state state);

#endif
