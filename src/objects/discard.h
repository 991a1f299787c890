/* discard.h - files that nobody needs any more go off the loop: to unlink a file, or to close the
 * last descriptor of an unlinked one, frees its blocks, which takes long for a large one. */
#ifndef OBJECTS_DISCARD_H
#define OBJECTS_DISCARD_H

#include "objects/store.h"

void discard_data(struct store *s, struct bucket *b, const char *data); /* a data file */
void discard_fd(struct store *s, int *fd); /* taken over; -1: nothing is done */

#endif
