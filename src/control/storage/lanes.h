/* lanes.h - control's disk work by kind, on libuv's thread pool: none of it waits for another kind,
 * and the loop waits for none (net/disk_task.h). */
#ifndef CONTROL_STORAGE_LANES_H
#define CONTROL_STORAGE_LANES_H

#include "control/control.h"
#include "net/disk_task.h"

enum lane {
	LANE_FILES,      /* opening and creating the files of machines and checkpoints */
	LANE_PUBLISH,    /* making checkpoints durable */
	LANE_COPY,       /* the memory of an image version into its template */
	LANE_READ_AHEAD, /* what a start will touch */
	LANE_GC,         /* one at a time: moving away and deleting what nobody needs */
	LANE_LOG,        /* guests' output, and those who read it */
	NUM_LANES
};

/* Before the first thread of libuv's pool is there. */
void lanes_open(struct control *ctl);
struct disk_lane *lane(const struct control *ctl, enum lane which);

#endif
