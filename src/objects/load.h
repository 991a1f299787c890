/* load.h - what the disk holds, read once at start. */
#ifndef OBJECTS_LOAD_H
#define OBJECTS_LOAD_H

#include "objects/store.h"

/* Blocking.  A bucket or an object that is unreadable is logged and left alone. */
int load_store(struct store *s, struct err *e) must_check;

/* Each entry but the dotted ones is given to @each; the stream has a descriptor of its own. */
int load_scan(int dir, void *arg, void (*each)(void *arg, const char *name),
	      struct err *e) must_check;

#endif
