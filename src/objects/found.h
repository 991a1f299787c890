/* found.h - an object that is opened to be read.
 *
 * It is found by its record alone, so record and bytes belong together even while the object is
 * replaced: a reader gets the old object whole, or the new one. */
#ifndef OBJECTS_FOUND_H
#define OBJECTS_FOUND_H

#include "objects/store.h"

struct found {
	json_t *meta;          /* owned; NULL: there is none */
	struct object *object; /* owned: what meta says */
	int fd;                /* owned; -1: not asked for */
};

/* Blocking.  0, -ENOENT: there is no such object, or another -errno. */
int found_open(struct found *f, const struct bucket *b, const char *key, bool data) must_check;
void found_free(struct store *s, struct found *f); /* on the loop; does nothing if it is empty */

#endif
