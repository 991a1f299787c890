/* list.h - what all listings share. */
#ifndef OBJECTS_LIST_H
#define OBJECTS_LIST_H

#include "objects/request.h"

#define LIST_MAX 1000 /* entries of a page */

struct list_ask {
	const char *prefix, *delimiter, *after; /* after: only names above it are listed */
	size_t max;
	bool url; /* encoding-type */
	bool owner;
};

const char *list_param(const struct request *r, const char *name); /* "" without */
/* Read the parameters that all listings have; @max is the name of the one that bounds a page.
 * False: the request is answered. */
bool list_ask(struct request *r, struct list_ask *ask, const char *max);
void list_put_name(struct buf *b, const char *element, const char *name, bool url);

#endif
