/* policy.h - what becomes due for a microVM as time passes (service.md 11).  Pure.
 *
 * A row has times of the wall clock, which keep their meaning over a restart.  While control runs,
 * it measures on clock_boot_ms, which nobody sets and which also counts a sleep of the host.  So a
 * step of the wall clock neither suspends nor ends anything. */
#ifndef CONTROL_MICROVM_POLICY_H
#define CONTROL_MICROVM_POLICY_H

#include "control/model/microvm.h"

enum policy_due {
	DUE_NOTHING,
	DUE_IDLE,      /* RUNNING, and no sign of life for max_idle_ms */
	DUE_SUSPENDED, /* SUSPENDED for suspended_ms */
	DUE_LIFETIME,  /* alive for max_duration_ms */
	DUE_FORGET,    /* TERMINATED for keep_ms */
};

enum policy_due policy_due(const struct microvm *vm, int64_t boot_ms, int64_t keep_ms);
/* The last sign of life: a byte; or work, if it has a policy that counts work and the last byte is
 * not too long ago. */
int64_t policy_last_sign(const struct microvm *vm, int64_t boot_ms);
bool policy_idle(const struct microvm *vm, int64_t boot_ms);

/* The time on clock_boot_ms of a past time on the wall clock; a time in the future becomes now. */
int64_t policy_since(int64_t then_wall_ms, int64_t wall_ms, int64_t boot_ms);
/* Converts all times of a row; call it when the row was loaded or made. */
void policy_begin(struct microvm *vm, int64_t wall_ms, int64_t boot_ms);
/* Bytes passed at this time on the wall clock.  False: a later byte is known already. */
bool policy_note_byte(struct microvm *vm, int64_t last_byte_ms, int64_t wall_ms, int64_t boot_ms);

/* Its machine has used so much CPU time since its start, by the host's word and not the guest's.
 * The first word after a start or a pause only begins a measurement. */
void policy_note_cpu(struct microvm *vm, uint64_t cpu_ns, int64_t boot_ms);
/* Its application asks for this time. */
void policy_note_lease(struct microvm *vm, int64_t lease_ms, int64_t boot_ms);
/* After a restart nobody knows whether it worked, so it gets the time to show it. */
void policy_begin_work(struct microvm *vm, int64_t boot_ms);

#endif
