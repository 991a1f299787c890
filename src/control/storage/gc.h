/* gc.h - the removal of files that nobody needs any more, in a lane of its own.
 *
 * A tree is first moved into data/control/trash by one rename, and then deleted there.  So its name
 * is free after the rename, and a crash in the middle leaves nothing but trash.  The removal comes
 * later, so a path that was given away must not be made again; names of drafts and of machines are
 * never used twice. */
#ifndef CONTROL_STORAGE_GC_H
#define CONTROL_STORAGE_GC_H

#include "control/control.h"

void gc_open(struct control *ctl);
/* Deletes @path (below data/control) and everything below it, later. */
void gc_put(struct control *ctl, const char *path);
/* Does the same at once, for a worker, which may wait for the disk; 0 or -errno. */
int gc_remove(int dir_fd, const char *path) must_check;
/* At start: deletes what an earlier process left in the trash. */
void gc_sweep(struct control *ctl);
void gc_close(struct control *ctl); /* what still waits is removed at the next start */

#endif
