/* suspend_parts.h - what suspend.c and save.c share.  suspend.c has the phases and what happens in
 * them as time passes; save.c brings the machine's state to disk. */
#ifndef CONTROL_MICROVM_SUSPEND_PARTS_H
#define CONTROL_MICROVM_SUSPEND_PARTS_H

#include "control/microvm/lifecycle_internal.h"
#include "control/storage/checkpoint.h"

enum suspend_phase {
	SUSPEND_NONE,
	SUSPEND_HOLDING, /* idle: the proxy holds requests and will say when the last byte passed */
	SUSPEND_HOOK,    /* the guest answers its /suspend hook */
	SUSPEND_DRAFTING,   /* the draft's files are being made */
	SUSPEND_SAVING,     /* the machine writes the draft */
	SUSPEND_FINDING,    /* the machine is busy, perhaps with an earlier save */
	SUSPEND_PUBLISHING, /* the draft is complete, and is being made durable */
	SUSPEND_CONTINUING, /* it could not be saved, and the machine is to run on */
	SUSPEND_NUM_PHASES
};

struct suspend {
	enum suspend_phase phase;
	int64_t held_ms;  /* HOLDING: when HOLD was sent */
	int64_t retry_ms; /* FINDING, PUBLISHING, CONTINUING: when to try again */
	unsigned tries;
	struct checkpoint_job *job; /* DRAFTING, PUBLISHING: under way */
	bool asked;                 /* CONTINUING: CONTINUE is not answered yet */
	int64_t above;              /* drafts up to this number belong to earlier suspends */
	int64_t draft;              /* the newest one that was made; 0: none */
	int fds[SAVE_NUM_FDS];      /* SAVING: the draft's files, to see how they grow */
	uint64_t written, total;
	int64_t grown_ms; /* SAVING: when it grew last */
	bool reported;    /* SAVING: that it does not grow */
	struct err failure;
};

struct suspend *suspend_of(struct microvm *vm);
/* Enters @phase, and gives up what the phase before had under way. */
void suspend_enter(struct microvm *vm, enum suspend_phase phase);
void suspend_retry_later(struct suspend *s);
void suspend_notify_late(struct microvm *vm, const struct err *why);

/* save.c */
void save_hooked(struct machine *m, enum agent_outcome outcome, unsigned status);
void save_draft(struct microvm *vm);
void save_publish_again(struct microvm *vm);
void save_continue_again(struct microvm *vm);

#endif
