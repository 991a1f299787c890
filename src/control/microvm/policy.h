/* policy.h - what time does to a microVM (service.md 11): idle, suspended too long, lived too long,
 * forgotten.
 *
 * A row carries times of the wall clock, which a restart can compare.  While control runs it
 * measures on a clock that also counts a sleep of the host and that nobody sets (clock_boot_ms), so
 * that a step of the wall clock neither suspends nor ends anything.  Pure. */
#ifndef CONTROL_MICROVM_POLICY_H
#define CONTROL_MICROVM_POLICY_H

#include "control/model/microvm.h"

enum policy_due {
	DUE_NOTHING,
	DUE_IDLE,      /* RUNNING, and no byte for max_idle_ms */
	DUE_SUSPENDED, /* SUSPENDED for suspended_ms */
	DUE_LIFETIME,  /* alive for max_duration_ms */
	DUE_FORGET,    /* TERMINATED for keep_ms */
};

enum policy_due policy_due(const struct microvm *vm, int64_t boot_ms, int64_t keep_ms);
bool policy_idle(const struct microvm *vm, int64_t boot_ms);

/* A wall-clock time of the past on the other clock; one that lies ahead is now. */
int64_t policy_since(int64_t then_wall_ms, int64_t wall_ms, int64_t boot_ms);
/* All of a row's times: after it was loaded or made. */
void policy_begin(struct microvm *vm, int64_t wall_ms, int64_t boot_ms);
/* Bytes passed at this wall-clock time.  False: that is no news. */
bool policy_note_byte(struct microvm *vm, int64_t last_byte_ms, int64_t wall_ms, int64_t boot_ms);

#endif
