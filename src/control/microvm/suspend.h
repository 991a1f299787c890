/* suspend.h - from RUNNING to a checkpoint on disk, or back.
 *
 * Nothing here gives up a microVM that can be kept.  A save may take as long as it takes; a machine
 * that refuses to save runs on; one that neither saves nor runs on stays as it is and is asked
 * again; a complete draft is published until that succeeds. */
#ifndef CONTROL_MICROVM_SUSPEND_H
#define CONTROL_MICROVM_SUSPEND_H

#include "control/machine/machine.h"

/* How far it is, for people. */
struct suspend_progress {
	const char *phase;      /* static text; NULL: nothing is under way */
	uint64_t bytes_written; /* of the draft */
	uint64_t bytes_total;   /* an estimate; 0: unknown */
	const char *error;      /* why the last one failed, borrowed; NULL: it did not */
};

void suspend_if_idle(struct microvm *vm); /* hold, hear the last byte, and begin if it is old */
void suspend_on_held(struct microvm *vm); /* the proxy holds; what it said is in the microVM */
void suspend_tick(struct microvm *vm, int64_t mono_ms);
struct suspend_progress suspend_progress(const struct microvm *vm);

/* The machine's SAVED that answers no request of this process: a save of before a restart. */
void suspend_on_saved(struct machine *m, const struct machine_saved *saved);
/* The machine ended.  True: a suspend expected that, or goes on without it. */
bool suspend_on_machine_end(struct microvm *vm);

/* For adoption: one that runs, and was found paused. */
void suspend_run_on(struct microvm *vm);
/* For adoption, in SUSPENDING. */
void suspend_adopt(struct microvm *vm);   /* the machine lives: go on with the save */
void suspend_publish(struct microvm *vm); /* it wrote all and ended */

#endif
