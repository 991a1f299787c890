/* lifecycle_internal.h - what the files of this folder share: a microVM's state machine, and what
 * is due when it enters a state.
 *
 * lifecycle.c decides and makes durable; the on_ functions, in start.c, suspend.c and stop.c, do
 * what is due, and are called after the step is durable. */
#ifndef CONTROL_MICROVM_LIFECYCLE_INTERNAL_H
#define CONTROL_MICROVM_LIFECYCLE_INTERNAL_H

#include "control/machine/machine.h"
#include "control/model/microvm.h"

enum vm_event {
	EV_STARTED,   /* the guest took its identity and answered /run */
	EV_SUSPEND,   /* asked for, or idle too long */
	EV_SAVED,     /* the save is durable */
	EV_UNSAVED,   /* it could not be saved: it runs on */
	EV_RESUME,    /* asked for, or traffic came */
	EV_RESUMED,   /* the guest answered /resume */
	EV_TERMINATE, /* asked for, or out of time, or a hook failed */
	EV_EXITED,    /* the machine is gone */
	VM_NUM_EVENTS,
};

struct lifecycle {
	struct microvm *vm;
	/* lifecycle.c */
	bool committing; /* the row of a step is on its way to the store */
	enum vm_event event;
	int64_t step_wall_ms, step_boot_ms; /* the time that the row will carry */
	unsigned pending_events;  /* bits of events that came meanwhile, or could not be written */
	unsigned durable_events;  /* bits of events that must be taken, not only asked for */
	char *why[VM_NUM_EVENTS]; /* what the row will say is the reason */
	bool wake;                /* resume it as soon as it is SUSPENDED */
	int64_t checkpoint;       /* the one that EV_SAVED writes into the row */
	struct list suspends, resumes, ends; /* of waiters.h */
	/* Each of the file of its name; NULL until it is needed. */
	struct run *run;
	struct start *start;
	struct suspend *suspend;
	struct guest_log *log;
	bool adopting;      /* adopt.c: a machine of an earlier control has not answered yet */
	bool drain_tried;   /* drain.c */
	int64_t written_ms; /* traffic.c: since.last_byte_ms as the store knows it */
};

struct lifecycle *lifecycle_of(struct microvm *vm); /* made at its first use */

/* Take the step that @event means in this state, once it is durable; ERR_CONFLICT if there is none.
 * An event that comes while another step is being made durable waits for it.  @why (may be NULL)
 * becomes the reason that the API shows. */
int lifecycle_step(struct microvm *vm, enum vm_event event, const char *why,
		   struct err *e) must_check;
/* The same for events of the world, which are nobody's fault when they come too late. */
void lifecycle_event(struct microvm *vm, enum vm_event event, const char *why);
/* As lifecycle_event, and again until it is durable. */
void lifecycle_event_durable(struct microvm *vm, enum vm_event event, const char *why);
/* This event waits to be made durable, and shall not be any more. */
void lifecycle_drop_event(struct microvm *vm, enum vm_event event);

void lifecycle_tick(struct microvm *vm);   /* once a second: what could not be made durable */
void lifecycle_forget(struct microvm *vm); /* TERMINATED, and its row is on its way out */
void lifecycle_free(struct microvm *vm);

/* @from: the state before. */
void on_enter_running(struct microvm *vm, enum vm_state from);     /* let traffic in */
void on_enter_suspending(struct microvm *vm, enum vm_state from);  /* hook, then save */
void on_enter_suspended(struct microvm *vm, enum vm_state from);   /* let the machine go */
void on_suspend_failed(struct microvm *vm, enum vm_state from);    /* run on */
void on_resume(struct microvm *vm, enum vm_state from);            /* start from the checkpoint */
void on_resume_lost(struct microvm *vm, enum vm_state from);       /* its machine died on the way */
void on_enter_terminating(struct microvm *vm, enum vm_state from); /* hook, then end the machine */
void on_enter_terminated(struct microvm *vm, enum vm_state from);  /* give everything back */
/* The row of a step could not be written, and @event need not be taken. */
void on_step_refused(struct microvm *vm, enum vm_event event, const struct err *e);
/* SuspendMicrovm was asked for: hold traffic, then EV_SUSPEND. */
void on_suspend_asked(struct microvm *vm);
void on_forgotten(struct microvm *vm); /* its row is on its way out */
/* Before the struct is freed: what these files have under way for it. */
void start_free(struct microvm *vm);
void suspend_free(struct microvm *vm);

/* What a hook's answer means: NULL if it is fine, else the reason (service.md 13), the caller's. */
char *hook_failure(enum hook hook, enum agent_outcome outcome, unsigned status, int64_t timeout_ms,
		   uint16_t port);
bool hook_wanted(const struct microvm *vm, enum hook hook);

#endif
