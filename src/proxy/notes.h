/* notes.h - how often a microVM's log is told why its requests were refused.  Pure: time is an
 * argument. */
#ifndef PROXY_NOTES_H
#define PROXY_NOTES_H

#include "base/base.h"

#define NOTES_BURST    20   /* lines at once ... */
#define NOTES_EVERY_MS 6000 /* ... and then one in this time */

struct notes {
	int64_t full_ms; /* when the burst is whole again */
	uint64_t missed; /* since the last line */
};

/* May a line be written?  *missed: so many were not, since the last one. */
bool notes_take(struct notes *n, int64_t now_ms, uint64_t *missed) must_check;

#endif
