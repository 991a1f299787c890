/* checkpoint_dir.h - one microVM's directory of checkpoints: how its files are called, what is in
 * it, and how a draft is made and published.  These functions wait for the disk, and know no loop.
 */
#ifndef CONTROL_STORAGE_CHECKPOINT_DIR_H
#define CONTROL_STORAGE_CHECKPOINT_DIR_H

#include "base/err.h"
#include "ipc/machine.h"

#define CHECKPOINT_PATH 192

struct checkpoint_entry {
	int64_t n;
	bool draft;
};

/* The path microvms/<id>/save-N, or .save-N.new for a draft; and of @file in it unless it is "". */
void checkpoint_dir_path(char to[CHECKPOINT_PATH], const char *id, int64_t n, bool draft,
			 const char *file);

/* The number in a name; false: this is no name of a checkpoint.  Pure. */
bool checkpoint_parse_name(const char *name, int64_t *n, bool *draft);

struct checkpoint_list {
	struct checkpoint_entry *each;
	size_t count;
};

/* True if the file of a snapshot's header is as long as its table says (docs/snapshot-format.md);
 * @head are its first bytes.  One that was cut off has no complete table, or ends before its
 * sections. Pure. */
#define CHECKPOINT_HEAD 4096
bool checkpoint_header_whole(const uint8_t *head, size_t n, uint64_t file_size);

/* What lies there, in no order: nothing if there is no directory.  0 or -errno; *list is the
 * caller's to free. */
int checkpoint_dir_list(int dir_fd, const char *id, struct checkpoint_list *list) must_check;
void checkpoint_list_free(struct checkpoint_list *list);

/* The newest complete one above @above; *n is 0 if there is none.  0 or -errno. */
int checkpoint_dir_find(int dir_fd, const char *id, int64_t above, int64_t *n,
			bool *draft) must_check;

/* See checkpoint_draft and checkpoint_publish. */
int checkpoint_dir_draft(int dir_fd, const char *id, const char *machine, int64_t above, int64_t *n,
			 int fds[SAVE_NUM_FDS], struct err *e) must_check;
int checkpoint_dir_publish(int dir_fd, const char *id, int64_t above, int64_t *n,
			   struct err *e) must_check;

/* The files of checkpoint N, read-only, in the order of RESTORE_FD_SAVE_HEADER ... . */
#define CHECKPOINT_NUM_FDS (RESTORE_NUM_SAVE_FDS - RESTORE_FD_SAVE_HEADER)
int checkpoint_open(int dir_fd, const char *microvm, int64_t n, int fds[CHECKPOINT_NUM_FDS],
		    struct err *e) must_check;
/* Makes the working disk of a machine, a copy of @empty_fd.  The descriptor is read-write and the
 * caller's. */
int checkpoint_new_overlay(int dir_fd, const char *machine, int empty_fd, struct err *e) must_check;

#endif
