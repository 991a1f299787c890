/* record.h - the small JSON files that bring an object, a part, an upload or a bucket into
 * existence.  All functions wait for the disk, so they are called off the loop, or at start.
 *
 * A record is replaced and removed by renames, and the rename is undone if the directory cannot be
 * synced.  Therefore a failure leaves the old state, except when the disk refuses the undoing too:
 * then *unsure is set: nobody knows which state a restart will find, so the caller must keep the
 * data files of both. */
#ifndef OBJECTS_RECORD_H
#define OBJECTS_RECORD_H

#include <jansson.h>

#include "base/err.h"

/* 0 with a new reference, or -errno; -EBADMSG: it is no JSON object. */
int record_read(int dir, const char *name, json_t **json) must_check;
int record_put(int dir, const char *name, const char *text, bool *unsure) must_check; /* -errno */

/* Removes several records of one directory, with one sync for all of them. */
struct record_gone {
	char name[65];
	int rc; /* 0 at first; 0 (also if it was not there), or -errno: it is still there */
};
void record_remove(int dir, struct record_gone *gone, size_t n, bool *unsure);

#endif
