/* lifecycle_internal.h - what the files of this folder share: a microVM's state machine, and the
 * actions of its steps.
 *
 * lifecycle.c decides about a step and makes it durable.  Then it calls one of the on_ functions,
 * which are in start.c, suspend.c and stop.c, and which do what the step demands. */
#ifndef CONTROL_MICROVM_LIFECYCLE_INTERNAL_H
#define CONTROL_MICROVM_LIFECYCLE_INTERNAL_H

#include "control/machine/machine.h"
#include "control/model/microvm.h"

enum vm_event {
	EV_STARTED,   /* the guest has its identity and answered /run */
	EV_SUSPEND,   /* asked for, or idle too long */
	EV_SAVED,     /* the checkpoint is durable */
	EV_UNSAVED,   /* it could not be saved, and runs on */
	EV_RESUME,    /* asked for, or a request came */
	EV_RESUMED,   /* the guest answered /resume */
	EV_TERMINATE, /* asked for, or out of time, or a hook failed */
	EV_EXITED,    /* the machine is gone */
	VM_NUM_EVENTS,
};

struct lifecycle {
	struct microvm *vm;
	/* lifecycle.c */
	bool committing; /* the row of a step is on its way to the store */
	bool reported;   /* that the last row could not be written */
	bool row_is_old; /* it says SUSPENDING, and the microVM runs */
	enum vm_event event;
	int64_t step_wall_ms, step_boot_ms; /* the time that the row will carry */
	unsigned pending_events;  /* bits: events that came meanwhile, or could not be written */
	unsigned durable_events;  /* bits: events that are tried until they are durable */
	char *why[VM_NUM_EVENTS]; /* the reason that the row will give */
	bool wake;                /* resume it as soon as it is SUSPENDED */
	int64_t checkpoint;       /* its number, for EV_SAVED to write into the row */
	struct list suspends, resumes, ends; /* of waiters.h */
	/* Each belongs to the file of its name, and is NULL until it is needed. */
	struct run *run;
	struct start *start;
	struct suspend *suspend;
	struct guest_log *log;
	struct guest_role *role;
	bool adopting;      /* adopt.c: a machine of an earlier control has not answered yet */
	bool drain_tried;   /* drain.c */
	int64_t written_ms; /* traffic.c: since.last_byte_ms as the store knows it */
};

struct lifecycle *lifecycle_of(struct microvm *vm); /* made at its first use */

/* Makes the step that @event means in this state durable, then takes it; ERR_CONFLICT if there is
 * no such step.  An event that comes while another step is being made durable waits for it.  @why
 * (may be NULL) becomes the reason that the API shows. */
int lifecycle_step(struct microvm *vm, enum vm_event event, const char *why,
		   struct err *e) must_check;
/* The same for an event that no caller asked for: it is ignored if it comes too late. */
void lifecycle_event(struct microvm *vm, enum vm_event event, const char *why);
/* The same, and tried again until the step is durable. */
void lifecycle_event_durable(struct microvm *vm, enum vm_event event, const char *why);
/* Withdraws an event that waits to be made durable. */
void lifecycle_drop_event(struct microvm *vm, enum vm_event event);

/* Once a second: tries again what could not be written. */
void lifecycle_tick(struct microvm *vm);
/* Frees a TERMINATED microVM whose row is being deleted. */
void lifecycle_forget(struct microvm *vm);
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
/* The row of @event's step could not be written, and the step is given up. */
void on_step_refused(struct microvm *vm, enum vm_event event, const struct err *e);
/* Somebody wants it suspended: hold its requests, then EV_SUSPEND. */
void on_suspend_asked(struct microvm *vm);
void on_forgotten(struct microvm *vm); /* its row is being deleted */
/* Give up what these files have under way; called before the struct is freed. */
void start_free(struct microvm *vm);
void suspend_free(struct microvm *vm);

/* What a hook's answer means: NULL if the hook succeeded, else the reason (service.md 13), which is
 * the caller's to free. */
char *hook_failure(enum hook hook, enum agent_outcome outcome, unsigned status, int64_t timeout_ms,
		   uint16_t port);
bool hook_wanted(const struct microvm *vm, enum hook hook);

#endif
