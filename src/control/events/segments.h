/* segments.h - the files of a journal, "000000000001.jsonl" and so on, and how they are read.
 *
 * Whoever reads may do so while they are written: only whole lines count. */
#ifndef CONTROL_EVENTS_SEGMENTS_H
#define CONTROL_EVENTS_SEGMENTS_H

#include "base/buf.h"
#include "base/err.h"

#define JOURNAL_PLACE 48 /* characters of a place as text, with the NUL */

/* Between two lines. */
struct journal_place {
	uint64_t segment; /* from 1 on; 0: before everything that is kept */
	int64_t at;
};

/* The last one, to write on, and where its last whole line ends; the first one is made if there is
 * none.  -errno. */
int segment_last(int dir_fd, uint64_t *segment, int64_t *at);
int segment_make(int dir_fd, uint64_t segment);
/* The segments up to and with this one. */
void segments_remove(int dir_fd, int64_t last);

/* For a worker: whole lines from a place on, about @most bytes of them, and where they end.  A
 * place that is kept no longer is taken for the oldest one, with *gap.  -1: the disk fails. */
int journal_read(int dir_fd, struct journal_place *place, size_t most, struct buf *to,
		 bool *gap) must_check;
/* Likewise: a place with at most @most bytes behind it. */
struct journal_place journal_latest(int dir_fd, int64_t most);

/* "segment.at"; pure.  False: it is none. */
bool journal_place_parse(const char *text, struct journal_place *place) must_check;
void journal_place_print(const struct journal_place *place, char text[JOURNAL_PLACE]);

#endif
