/* lifecycle.h - the life of a microVM.
 *
 * The states are those that the API shows, and every arrow is one row of the table in lifecycle.c.
 * Only lifecycle.c writes vm->state, and only after the new state is in the store.
 *
 *              STARTED          SUSPEND              SAVED
 *    PENDING ---------> RUNNING --------> SUSPENDING ------> SUSPENDED
 *       |                |   ^ ^-- UNSAVED ---|              |   |
 *       |                |   '----------------|-- RESUMED ---'   |
 *       '----------------+-------> TERMINATING <-----------------'
 *                                       | EXITED
 *                                  TERMINATED
 *
 * SUSPENDED lasts until the guest has answered /resume (design 6).  While a machine is being
 * restored, the row stays SUSPENDED, so that after a crash the microVM resumes from its checkpoint
 * again.  service.md 23 lists our choices where the service says nothing. */
#ifndef CONTROL_MICROVM_LIFECYCLE_H
#define CONTROL_MICROVM_LIFECYCLE_H

#include "control/model/done.h"
#include "control/model/microvm.h"

struct control;
struct microvm;
struct image_version;

/* Makes a microVM: first a durable PENDING row, in the transaction @with (may be NULL), then `made`
 * is called, then its machine is started.  @vm is new (model_microvm_new), and control owns it from
 * here on: it is in the list once the row is durable, and is freed before `made` reports a failure.
 */
struct store_txn;
void lifecycle_run(struct control *ctl, struct microvm *vm, struct store_txn *with,
		   change_done *made, void *arg);

/* SuspendMicrovm, ResumeMicrovm and TerminateMicrovm, idempotent as service.md 4 and 23 say. `done`
 * (may be NULL) is called when the state that the caller may rely on is durable. */
void lifecycle_suspend(struct microvm *vm, change_done *done, void *arg);
void lifecycle_resume(struct microvm *vm, change_done *done, void *arg);
void lifecycle_terminate(struct microvm *vm, const char *reason, change_done *done, void *arg);

/* The TERMINATED microVMs of a version outlive it: first their rows, in the transaction that
 * deletes the version, and once that is durable the structs. */
void lifecycle_keep_ended(struct control *ctl, const struct image_version *v, struct store_txn *t);
void lifecycle_part_ended(struct control *ctl, const struct image_version *v);

#endif
