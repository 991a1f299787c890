/* revisions.h - which revision of each row this store has read or written.
 *
 * A change of a row says the revision that it replaces, so that it fails where another writer was
 * first.  What a transaction does to the revisions counts once it is settled. */
#ifndef CONTROL_STORE_REVISIONS_H
#define CONTROL_STORE_REVISIONS_H

#include "base/hash.h"
#include "base/list.h"

struct revision {
	struct hash_node in;
	struct list touched;
	int64_t durable, now; /* 0: the row is not there */
	char path[];          /* of the row (sql_path) */
};

struct revisions {
	struct hash known;
	struct list touched; /* by what is not settled yet */
};

void revisions_init(struct revisions *r);
void revisions_free(struct revisions *r);
void revisions_loaded(struct revisions *r, const char *path, int64_t revision);
/* For a change of it: `now` is what that replaces, and becomes what it makes. */
struct revision *revisions_touch(struct revisions *r, const char *path);
/* What was touched became durable, or is as it was before.  Rows below one that was deleted are
 * gone with it. */
void revisions_settle(struct revisions *r, bool took_place);

#endif
