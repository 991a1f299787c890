/* suspend.h - how a microVM gets from RUNNING to a checkpoint on disk, or back.
 *
 * Nothing here gives up a microVM that can be kept.  A save has no time limit.  A machine that
 * refuses to save runs on, and one that neither saves nor runs on is asked again.  A complete draft
 * is published again until that succeeds. */
#ifndef CONTROL_MICROVM_SUSPEND_H
#define CONTROL_MICROVM_SUSPEND_H

#include "control/machine/machine.h"

/* How far a suspend is, for people. */
struct suspend_progress {
	const char *phase;      /* static text; NULL: nothing is under way */
	uint64_t bytes_written; /* of the draft */
	uint64_t bytes_total;   /* an estimate; 0: unknown */
	const char *error;      /* why the last one failed, borrowed; NULL: it did not */
};

/* Holds requests, asks the proxy for the last byte, and begins if that is old enough. */
void suspend_if_idle(struct microvm *vm);
/* The proxy holds requests, and the last byte that it told is in the microVM. */
void suspend_on_held(struct microvm *vm);
void suspend_tick(struct microvm *vm, int64_t mono_ms);
struct suspend_progress suspend_progress(const struct microvm *vm);

/* A SAVED that answers no request of this process: an earlier control had asked for the save. */
void suspend_on_saved(struct machine *m, const struct machine_saved *saved);
/* The machine ended.  True: the suspend goes on without it. */
bool suspend_on_machine_end(struct microvm *vm);

/* For adoption: the microVM is RUNNING, and its machine was found paused. */
void suspend_run_on(struct microvm *vm);
/* For adoption, in SUSPENDING. */
void suspend_adopt(struct microvm *vm);   /* the machine lives, and is to save */
void suspend_publish(struct microvm *vm); /* the machine has saved and ended */

#endif
