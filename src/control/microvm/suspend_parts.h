/* suspend_parts.h - a suspend from inside: suspend.c has its phases and what time does to them,
 * save.c the way of the machine's state to disk. */
#ifndef CONTROL_MICROVM_SUSPEND_PARTS_H
#define CONTROL_MICROVM_SUSPEND_PARTS_H

#include "control/microvm/lifecycle_internal.h"
#include "control/storage/checkpoint.h"

enum suspend_phase {
	SUSPEND_NONE,
	SUSPEND_HOLDING, /* idle: the proxy holds requests and will say when the last byte passed */
	SUSPEND_HOOK,    /* the guest answers its /suspend hook */
	SUSPEND_DRAFTING,   /* the draft's files are made */
	SUSPEND_SAVING,     /* the machine writes the draft */
	SUSPEND_FINDING,    /* the machine is busy with a save of which the answer is awaited */
	SUSPEND_PUBLISHING, /* the draft is complete, and is made durable */
	SUSPEND_CONTINUING, /* it could not be saved: the machine is to run on */
	SUSPEND_NUM_PHASES
};

struct suspend {
	enum suspend_phase phase;
	int64_t held_ms;  /* HOLDING: when HOLD was sent */
	int64_t retry_ms; /* FINDING, PUBLISHING, CONTINUING: when to try again */
	unsigned tries;
	struct checkpoint_job *job; /* DRAFTING, PUBLISHING: under way */
	bool asked;                 /* CONTINUING: CONTINUE is under way */
	int64_t above;              /* older drafts are no part of this suspend */
	int64_t draft;              /* the newest one that was made */
	int fds[SAVE_NUM_FDS];      /* SAVING: of the draft, to see how it grows */
	uint64_t written, total;
	int64_t grown_ms; /* SAVING: when it grew last */
	bool reported;    /* SAVING: that it does not grow */
	struct err failure;
};

struct suspend *suspend_of(struct microvm *vm);
/* Whatever the phase before had under way is given up. */
void suspend_enter(struct microvm *vm, enum suspend_phase phase);
void suspend_retry_later(struct suspend *s);
void suspend_notify_late(struct microvm *vm, const struct err *why);

/* save.c */
void save_hooked(struct machine *m, enum agent_outcome outcome, unsigned status);
void save_draft(struct microvm *vm);
void save_publish_again(struct microvm *vm);
void save_continue_again(struct microvm *vm);

#endif
