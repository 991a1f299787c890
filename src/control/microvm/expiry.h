/* expiry.h - what time does to a microVM: idle, suspended too long, lived too long, forgotten.
 *
 * Wall clock, and all of it follows from the row, so that a restart changes nothing. */
#ifndef CONTROL_MICROVM_EXPIRY_H
#define CONTROL_MICROVM_EXPIRY_H

#include "control/control.h"
#include "control/model/model.h"

enum expiry_due {
	DUE_NOTHING,
	DUE_IDLE,      /* RUNNING, and no byte for max_idle_ms */
	DUE_SUSPENDED, /* SUSPENDED for suspended_ms */
	DUE_LIFETIME,  /* alive for max_duration_ms */
	DUE_FORGET,    /* TERMINATED for keep_ms */
};

/* Pure. */
enum expiry_due expiry_due(const struct microvm *vm, int64_t now, int64_t keep_ms);
bool expiry_idle(const struct microvm *vm, int64_t now);

int expiry_open(struct control *ctl, struct err *e) must_check;
void expiry_close(struct control *ctl);
void expiry_look(struct microvm *vm, int64_t now);
void expiry_active(struct microvm *vm, int64_t last_byte_ms); /* of routes.c */

#endif
