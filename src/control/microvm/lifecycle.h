/* lifecycle.h - the life of a microVM.
 *
 * Every state is one the API shows; every arrow is one row of the table in
 * lifecycle.c.  Only lifecycle.c writes vm->state, and only after the store has it.
 *
 *              STARTED          SUSPEND              SAVED
 *    PENDING ---------> RUNNING --------> SUSPENDING ------> SUSPENDED
 *       |                |   ^ ^-- UNSAVED ---|              |   |
 *       |                |   '----------------|-- RESUMED ---'   |
 *       '----------------+-------> TERMINATING <-----------------'
 *                                       | EXITED
 *                                  TERMINATED
 *
 * SUSPENDED lasts until the guest has answered /resume (design 6); while a
 * machine is being restored for it the row stays SUSPENDED and a crash resumes
 * again from the save.  Choices where the service is silent: service.md 23. */
#ifndef CONTROL_MICROVM_LIFECYCLE_H
#define CONTROL_MICROVM_LIFECYCLE_H

#include "control/model/done.h"
#include "control/model/microvm.h"

struct control;
struct microvm;
struct image_version;

/* Make a microVM of this version: durable PENDING row first (with the client token of `token_txn`,
 * may be NULL), then `made`, then the machine.  @vm is new (model_microvm_new) and owned by control
 * from here on: in its list once the row is there, freed before `made` if that failed. */
struct store_txn;
void lifecycle_run(struct control *ctl, struct microvm *vm, struct store_txn *with,
		   change_done *made, void *arg);

/* SuspendMicrovm, ResumeMicrovm, TerminateMicrovm: idempotent as service.md 4 and 23 say; `done`
 * when the state that the caller may rely on is durable. */
void lifecycle_suspend(struct microvm *vm, change_done *done, void *arg);
void lifecycle_resume(struct microvm *vm, change_done *done, void *arg);
void lifecycle_terminate(struct microvm *vm, const char *reason, change_done *done, void *arg);

/* The rows of this version's TERMINATED microVMs go with it: first out of the store, in the
 * transaction that deletes the version, and once that is durable out of memory. */
void lifecycle_delete_ended(struct control *ctl, const struct image_version *v,
			    struct store_txn *t);
void lifecycle_forget_ended(struct control *ctl, const struct image_version *v);

#endif
