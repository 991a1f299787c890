/* gc.h - files that nobody needs any more: they go in a lane of their own.
 *
 * What is to go is first moved into data/control/trash by one rename and then deleted there, so
 * that a name is free after the rename and a crash in the middle leaves nothing but trash.  A path
 * that was given away here must not be made again: names of drafts and machines are never used
 * twice. */
#ifndef CONTROL_STORAGE_GC_H
#define CONTROL_STORAGE_GC_H

#include "control/control.h"

void gc_open(struct control *ctl);
/* Delete @path (below data/control) and all below it, later. */
void gc_put(struct control *ctl, const char *path);
/* The same at once, for a worker that waits for the disk itself; 0 or -errno. */
int gc_remove(int dir_fd, const char *path) must_check;
/* At start: delete what an earlier process left in the trash. */
void gc_sweep(struct control *ctl);
void gc_close(struct control *ctl); /* what still waits is left to the next start */

#endif
