/* load.h - what the disk holds, read once at start. */
#ifndef OBJECTS_LOAD_H
#define OBJECTS_LOAD_H

#include "objects/store.h"

/* Read all of an opened store, and clear what a killed upload left.  Blocking.  A bucket or an
 * object that is unreadable is logged and left alone. */
int load_store(struct store *s, struct err *e) must_check;

#endif
