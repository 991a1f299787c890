/* checkpoint.h - the directories of suspended microVMs: data/control/microvms/<id>/save-N.
 *
 * A checkpoint is drafted as .save-N.new, filled by the machine, and published by one rename after
 * all of it is on disk; then it never changes.  The machine writes the header last, so a draft is
 * complete when it has one.  The working disk of the machine is linked into the draft as `disk`:
 * nothing can go wrong with it once the machine has said SAVED.
 *
 * No number is used twice: a draft gets one above all that ever lay in the directory.  So several
 * drafts may lie there when it is not known which of them a machine writes into, and the complete
 * one is the one that counts. */
#ifndef CONTROL_STORAGE_CHECKPOINT_H
#define CONTROL_STORAGE_CHECKPOINT_H

#include "control/control.h"
#include "control/model/microvm.h"

/* Work on a checkpoint that is under way, off the loop. */
struct checkpoint_job;

/* Make the next draft, numbered above @above.  rc 0: its number, and its write-only files, which
 * are closed after the call; -1: *e, and no draft. */
typedef void checkpoint_drafted(struct microvm *vm, int rc, int64_t n, const int fds[SAVE_NUM_FDS],
				const struct err *e);
struct checkpoint_job *checkpoint_draft(struct microvm *vm, int64_t above,
					checkpoint_drafted *done);

/* Make the newest complete checkpoint above @above durable and visible; one that is visible
 * already is made durable.  It may be called again after a failure.  rc 0: its number; -1: *e, of
 * ERR_NOT_FOUND if none is complete. */
typedef void checkpoint_published(struct microvm *vm, int rc, int64_t n, const struct err *e);
struct checkpoint_job *checkpoint_publish(struct microvm *vm, int64_t above,
					  checkpoint_published *done);

/* Nobody is told any more, and a draft that it makes is removed.  NULL is harmless. */
void checkpoint_forget(struct checkpoint_job *job);

/* What lies there above vm->checkpoint; they look on the loop, for adoption.  If the directory
 * cannot be read there may be a complete draft, and checkpoint_publish will look again. */
bool checkpoint_has_draft(const struct microvm *vm); /* a complete one */
bool checkpoint_is_published(const struct microvm *vm);

/* They go later (gc.h). */
void checkpoint_drop_draft(struct microvm *vm, int64_t n);
void checkpoint_remove_below(struct microvm *vm, int64_t n); /* published ones and drafts */
void checkpoint_remove_all(struct microvm *vm);

#endif
