/* journal.h - lines that are written one after the other and kept for a while: segments with
 * numbers, of which the oldest goes when there are too many.
 *
 * The loop never waits for it, and a full or slow disk fails nothing: what has no room in memory
 * meanwhile is counted, and the count is said when the disk is back.  A line is in the file whole
 * or not at all, also after a kill. */
#ifndef CONTROL_EVENTS_JOURNAL_H
#define CONTROL_EVENTS_JOURNAL_H

#include <stdatomic.h>

#include "control/events/segments.h"
#include "net/disk_task.h"

#define JOURNAL_WAITING (4 * MIB)   /* lines that wait for the disk, at most */
#define JOURNAL_LINE    (128 * KIB) /* one of them, at most; a longer one is lost */

struct journal {
	int dir_fd;                                  /* borrowed */
	struct disk_lane *lane;                      /* borrowed; of one */
	int64_t segment_size, kept;                  /* bytes of a segment; how many there are */
	void (*lost)(struct journal *j, uint64_t n); /* n lines had no room; it may add one */
	void *arg;
	/* Its own. */
	struct journal_place end; /* the worker's, while it writes */
	int fd;                   /* the worker's, of the last segment; -1: not open yet */
	struct buf waiting, writing;
	uint64_t n_lost;
	bool under_way, failed; /* the worker or the timer has it */
	atomic_bool written;    /* by the worker: it is through */
	int rc;
	struct disk_task task;
	uv_timer_t again;
};

/* Half a line at the end is cut off soon.  A disk that is full or broken is no reason not to begin.
 */
int journal_open(struct journal *j, uv_loop_t *loop, struct err *e) must_check;
/* What waits is written, unless the disk is stuck. */
void journal_close(struct journal *j);
/* @line has no newline. */
void journal_add(struct journal *j, const char *line, size_t size);

#endif
