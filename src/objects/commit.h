/* commit.h - the last step of a write: a record turns the draft of a request into an object.
 *
 * Commits are made one at a time, so the conditions of the request (If-Match, If-None-Match) are
 * those of the moment in which the object changes. */
#ifndef OBJECTS_COMMIT_H
#define OBJECTS_COMMIT_H

#include "objects/request.h"

/* Takes @meta over; NULL: it could not be made.  Only a success calls @done; after a failure the
 * request is answered. */
void commit_start(struct request *r, json_t *meta,
		  void (*done)(struct request *r, const struct object *o));

#endif
