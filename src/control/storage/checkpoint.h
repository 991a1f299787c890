/* checkpoint.h - the directories of suspended microVMs: data/control/microvms/<id>/save-N.
 *
 * A save is drafted as .save-N.new, filled by the machine, and visible by one
 * rename after all of it is on disk; then it never changes.  The working disk of
 * the machine is linked into the draft as `disk`: nothing can go wrong with it
 * once the machine has said SAVED. */
#ifndef CONTROL_STORAGE_CHECKPOINT_H
#define CONTROL_STORAGE_CHECKPOINT_H

#include "control/control.h"
#include "control/model/model.h"

/* Make draft N; fds[SAVE_NUM_FDS] are write-only files, the caller's. */
int checkpoint_draft(struct microvm *vm, int64_t n, int fds[SAVE_NUM_FDS],
		     struct err *e) must_check;
void checkpoint_drop_draft(struct microvm *vm, int64_t n); /* the draft */
/* Make it durable and visible, by a child; rc 0 or -errno.  NULL if there can be none. */
struct fork_task *checkpoint_publish(struct microvm *vm, int64_t n, void (*done)(void *arg, int rc),
				     void *arg, struct err *e) must_check;
/* Its header is there: the machine wrote all of it (not that it is on disk). */
bool checkpoint_has_draft(const struct microvm *vm, int64_t n);
bool checkpoint_exists(const struct microvm *vm, int64_t n);
/* Its four files, read-only, in the order of RESTORE_FD_SAVE_HEADER ... */
#define CHECKPOINT_NUM_FDS (RESTORE_NUM_SAVE_FDS - RESTORE_FD_SAVE_HEADER)
int checkpoint_open(const struct microvm *vm, int64_t n, int fds[CHECKPOINT_NUM_FDS],
		    struct err *e) must_check;
void checkpoint_remove(struct microvm *vm, int64_t n);
void checkpoint_remove_all(struct microvm *vm);

/* The working disk of a machine. */
int checkpoint_new_overlay(struct control *ctl, const char *machine, int empty_fd,
			   struct err *e) must_check; /* read-write, owned by the caller */

/* At start: what belongs to no row, given these machines that live. */
void checkpoint_sweep(struct control *ctl);

#endif
