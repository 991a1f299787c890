/* lifecycle_internal.h - the life of a microVM, from inside: what is under way, and what a step
 * does to the world.
 *
 * lifecycle.c decides and makes durable, the act_ functions do, in start.c,
 * suspend.c and stop.c.  An act is called after its step is durable. */
#ifndef CONTROL_MICROVM_LIFECYCLE_INTERNAL_H
#define CONTROL_MICROVM_LIFECYCLE_INTERNAL_H

#include "control/admission/admission.h"
#include "control/machine/machine.h"
#include "control/microvm/lifecycle.h"
#include "control/pool/template.h"

/* Who waits for an answer of lifecycle_suspend, lifecycle_resume, lifecycle_terminate. */
struct waiter {
	struct list in;
	lifecycle_done *done;
	void *arg;
};

struct lifecycle {
	struct microvm *vm;
	/* lifecycle.c: the step whose row is on its way. */
	bool committing;
	enum vm_event event;
	unsigned pending_events; /* bits of events that came meanwhile */
	char *why;               /* what the row will say is the reason */
	unsigned durable_events; /* bits of events that must be taken, not only asked for */
	int64_t step_ms;         /* the time that the row will carry */
	bool wake;               /* when it is SUSPENDED, resume it */
	/* start.c */
	struct admission_ticket ticket;
	struct template_wait wait;
	bool from_pool;          /* it began as a clone or a spare */
	bool spare;              /* that it is still */
	bool binding;            /* the clone or spare is ours, its row is on its way */
	struct running *running; /* a RunMicrovm that waits for room */
	struct err failure;      /* why it did not come up */
	/* suspend.c */
	bool holding;                 /* HOLD was sent, HELD is awaited */
	int64_t held_ms;              /* when it was sent */
	bool saved;                   /* the machine said SAVED: its end is no death */
	struct fork_task *publishing; /* a child makes the save durable */
	bool adopted;                 /* found in SUSPENDING after a restart */
	bool again;             /* SAVE found the machine busy with a SAVE of before a restart */
	int64_t draft;          /* N of the save that is being made */
	int64_t old_checkpoint; /* N of the one before */
	struct list suspends, resumes, ends;
	bool drain_tried;   /* drain.c has tried it */
	int log_fd;         /* guest_log.c */
	int64_t written_ms; /* microvm/expiry.c: last_byte_ms as it is in the store */
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

/* Once a second: what could not be made durable. */
void lifecycle_tick(struct microvm *vm);
void lifecycle_forget(struct microvm *vm); /* TERMINATED, and its row is on its way out */
void lifecycle_free(struct microvm *vm);

void waiters_add(struct list *waits, lifecycle_done *done, void *arg);
void waiters_notify(struct list *waits, int rc, const struct err *e);
void waiters_notify_ended(struct microvm *vm, struct list *waits); /* 400: it has been terminated */

/* @from: the state before. */
void on_enter_running(struct microvm *vm, enum vm_state from);     /* let traffic in */
void on_enter_suspending(struct microvm *vm, enum vm_state from);  /* hook, then save */
void on_enter_suspended(struct microvm *vm, enum vm_state from);   /* let the machine go */
void on_suspend_failed(struct microvm *vm, enum vm_state from);    /* the save failed: run on */
void on_resume(struct microvm *vm, enum vm_state from);            /* a machine from the save */
void on_enter_terminating(struct microvm *vm, enum vm_state from); /* hook, then end the machine */
void on_enter_terminated(struct microvm *vm, enum vm_state from);  /* give everything back */
/* The row of a step could not be written; @event was not insisted on. */
void on_step_refused(struct microvm *vm, enum vm_event event, const struct err *e);

/* start.c, for adopt.c and the others */
extern const struct machine_ops microvm_machine_ops;
/* A new machine id into the microVM, and the host's boot id. */
void start_bind(struct microvm *vm);
void start_machine(struct microvm *vm);  /* from the image or the save, through the queue */
void start_again(struct microvm *vm);    /* under a new machine id, which the row gets */
void start_identity(struct microvm *vm); /* RESUMED, hook, then STARTED or RESUMED */
void start_cancel(struct microvm *vm);   /* what is under way */
void start_failed(struct microvm *vm, const char *why);
/* What a hook's answer means: NULL if it is fine, else the reason (service.md 13), the caller's. */
char *hook_failure(enum hook hook, enum agent_outcome outcome, unsigned status, int64_t timeout_ms,
		   uint16_t port);
bool hook_wanted(const struct microvm *vm, enum hook hook);

/* suspend.c */
void suspend_begin(struct microvm *vm);                      /* asked for: hold, then EV_SUSPEND */
void suspend_held(struct microvm *vm, int64_t last_byte_ms); /* of routes.c */
void suspend_idle(struct microvm *vm, int64_t now);          /* microvm/expiry.c: idle too long */
void suspend_found(struct machine *m, const struct machine_saved *saved); /* of a SAVE before */
void suspend_publish(struct microvm *vm); /* the draft is complete */
void suspend_tick(struct microvm *vm, int64_t now);

#endif
