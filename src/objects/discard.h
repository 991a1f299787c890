/* discard.h - deletes files off the loop.  To unlink a file, or to close the last descriptor of an
 * unlinked one, frees its blocks, which takes long if it is large. */
#ifndef OBJECTS_DISCARD_H
#define OBJECTS_DISCARD_H

#include "objects/store.h"

void discard_data(struct store *s, struct bucket *b, const char *data); /* a data file */
/* Takes the descriptor over; does nothing with -1. */
void discard_fd(struct store *s, enum store_lane lane, int *fd);

#endif
