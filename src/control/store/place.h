/* place.h - where a store is, and whose it is.
 *
 * The data directory of a store in PostgreSQL has the file `store-id` with a name that the database
 * has too.  A database of another directory, or a directory whose rows are elsewhere, would look
 * like a doze without images and microVMs, whose files would be removed. */
#ifndef CONTROL_STORE_PLACE_H
#define CONTROL_STORE_PLACE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/rand.h"

struct store_place {
	int dir;             /* of doze.db, or of store-id */
	const char *url;     /* of PostgreSQL's database; "" or NULL: doze.db */
	const char *account; /* of rows that are older than accounts */
};

/* What the directory says: "" if it has no such file. */
int place_read_id(int dir, char id[UUID_SIZE], struct err *e) must_check;
/* A name that the database may get: it is the directory's once that is sure.  So neither has one
 * that the other does not know, whatever dies in between. */
int place_draft_id(int dir, const char *id, struct err *e) must_check;
/* The directory's draft is this name, which the database has: it becomes the directory's.  -1: it
 * is not, or that failed. */
int place_take_draft(int dir, const char *id, struct err *e) must_check;
/* The URL, or what @file has instead if that is given. */
int place_read_url(const char *url, const char *file, struct buf *to, struct err *e) must_check;
bool place_has_file(int dir); /* doze.db */

#endif
