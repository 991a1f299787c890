/* start.h - the stages of a run and of a resume: they lead from a row to a guest that knows its
 * identity. */
#ifndef CONTROL_MICROVM_START_H
#define CONTROL_MICROVM_START_H

#include "control/admission/admission.h"
#include "control/machine/machine.h"
#include "control/pool/template.h"

enum start_stage {
	START_MEMORY,   /* room in the host's memory */
	START_SLOT,     /* a turn among the starts */
	START_TEMPLATE, /* what all machines of the version share */
	START_MACHINE,  /* a process: a spare or a new one */
	START_RESTORE,  /* from the image, or from the checkpoint */
	START_IDENTITY, /* the guest learns who it is */
	START_ROLE,     /* the credentials of its role */
	START_HOOK,     /* /run or /resume */
	START_OPEN,     /* requests may come */
	START_NUM_STAGES
};

struct start {
	struct microvm *vm;
	enum start_stage stage;
	struct admission_ticket ticket;
	struct template_wait wait;
	struct err failure; /* for whoever waits; empty: a general text is made */
};

struct start *start_of(struct microvm *vm); /* made at its first use */

extern const struct machine_ops microvm_machine_ops; /* machine_events.c */

/* Gives the microVM a new machine id, and the host's boot id. */
void start_bind(struct microvm *vm);
/* Starts it from the image or from the checkpoint.  What run.c has done already is left out: the
 * ticket may have its memory, and the microVM may have a spare as its machine. */
void start_machine(struct microvm *vm);
void start_again(struct microvm *vm); /* with a new machine id, which is written to the row */
/* For a machine that an earlier control started: begins with the guest's identity. */
void start_identity(struct microvm *vm);
void start_paused(struct microvm *vm); /* the same for a paused machine or a clone */
void start_on_machine_up(struct microvm *vm);
void start_cancel(struct microvm *vm); /* gives up what is under way */
void start_failed(struct microvm *vm, const char *why);

#endif
