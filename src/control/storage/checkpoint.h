/* checkpoint.h - the directories of suspended microVMs: data/control/microvms/<id>/save-N.
 *
 * A draft is made as .save-N.new, and the machine fills it.  When all of it is on disk, one rename
 * publishes it, and from then on it never changes.  The machine writes the header last, so a draft
 * with a header is complete.  The machine's working disk is linked into the draft as `disk`, so
 * that it needs no copy once the machine has said SAVED.
 *
 * No number is used twice: a draft gets a number above all that lie in the directory.  So there may
 * be several drafts when it is not known which of them a machine writes to, and the newest complete
 * one counts. */
#ifndef CONTROL_STORAGE_CHECKPOINT_H
#define CONTROL_STORAGE_CHECKPOINT_H

#include "control/control.h"
#include "control/model/microvm.h"

/* Work on a checkpoint that is under way off the loop. */
struct checkpoint_job;

/* Make the next draft, numbered above @above.  rc 0: its number, and its write-only files, which
 * are closed after the call; -1: *e, and no draft. */
typedef void checkpoint_drafted(struct microvm *vm, int rc, int64_t n, const int fds[SAVE_NUM_FDS],
				const struct err *e);
struct checkpoint_job *checkpoint_draft(struct microvm *vm, int64_t above,
					checkpoint_drafted *done);

/* Makes the newest complete checkpoint above @above durable and visible.  It may be called again
 * after a failure, even if the rename had succeeded.  rc 0: its number; -1: *e, which is
 * ERR_NOT_FOUND only if none is complete. */
typedef void checkpoint_published(struct microvm *vm, int rc, int64_t n, const struct err *e);
struct checkpoint_job *checkpoint_publish(struct microvm *vm, int64_t above,
					  checkpoint_published *done);

/* The job's callback is not called any more, and a draft that it makes is removed.  NULL is
 * harmless. */
void checkpoint_forget(struct checkpoint_job *job);

/* What lies there above vm->checkpoint; they look on the loop, for adoption.  If the directory
 * cannot be read there may be a complete draft, and checkpoint_publish will look again. */
bool checkpoint_has_draft(const struct microvm *vm); /* a complete one */
bool checkpoint_is_published(const struct microvm *vm);

/* The files are removed later (gc.h). */
void checkpoint_drop_draft(struct microvm *vm, int64_t n);
void checkpoint_remove_below(struct microvm *vm, int64_t n); /* published ones and drafts */
void checkpoint_remove_all(struct microvm *vm);

#endif
