/* start.h - from a row to a guest that knows who it is: the stages of a run and of a resume. */
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
	START_HOOK,     /* /run or /resume */
	START_OPEN,     /* done: traffic */
	START_NUM_STAGES
};

struct start {
	struct microvm *vm;
	enum start_stage stage;
	struct admission_ticket ticket;
	struct template_wait wait;
	struct err failure; /* what the callers shall hear; empty: nothing in particular */
};

struct start *start_of(struct microvm *vm); /* made at its first use */

extern const struct machine_ops microvm_machine_ops; /* machine_events.c */

/* A new machine id into the microVM, and the host's boot id. */
void start_bind(struct microvm *vm);
/* From the image or the checkpoint.  What run.c has done already is left out: memory that the
 * ticket has, a spare that is the microVM's machine. */
void start_machine(struct microvm *vm);
void start_again(struct microvm *vm); /* under a new machine id, which the row gets */
/* The guest of a clone, or of a machine of before a restart of control: from its identity on. */
void start_identity(struct microvm *vm);
void start_paused(struct microvm *vm); /* the same for a machine that is to CONTINUE first */
void start_on_machine_up(struct microvm *vm);
void start_cancel(struct microvm *vm); /* what is under way */
void start_failed(struct microvm *vm, const char *why);

#endif
