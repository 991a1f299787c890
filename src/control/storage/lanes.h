/* lanes.h - control's disk work, by kind, on libuv's thread pool.  No kind of work waits for
 * another kind, and the loop waits for none of it (net/disk_task.h). */
#ifndef CONTROL_STORAGE_LANES_H
#define CONTROL_STORAGE_LANES_H

#include "control/control.h"
#include "net/disk_task.h"

enum lane {
	LANE_FILES,      /* opening and creating the files of machines and checkpoints */
	LANE_PUBLISH,    /* making checkpoints durable */
	LANE_COPY,       /* the memory of an image version into its template */
	LANE_READ_AHEAD, /* reading the pages that a start will touch */
	LANE_GC,         /* moving away and deleting what nobody needs, one tree at a time */
	LANE_LOG,        /* writing and reading guests' output */
	LANE_SEARCH,     /* searching it */
	LANE_EVENTS,     /* writing events */
	NUM_LANES
};

/* Call it before libuv's pool has its first thread. */
void lanes_open(struct control *ctl);
struct disk_lane *lane(const struct control *ctl, enum lane which);

#endif
