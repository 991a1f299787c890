/* metadata.h - what a guest serves as its metadata (guest/metadata.h): the paths that SDKs read. */
#ifndef CONTROL_MICROVM_METADATA_H
#define CONTROL_MICROVM_METADATA_H

#include "control/model/model.h"

#define METADATA_TAGS_MAX (32 * KIB) /* what is beyond is left out */

/* Gives the guest all of it, in place of what it had.  @credentials: JSON of its role's, or NULL.
 * @more: fields of a frame that go with them, or NULL. */
void metadata_push(const struct microvm *vm, const char *credentials, const struct buf *more);

/* The frame for that.  Pure. */
void metadata_frame(struct buf *b, const struct microvm *vm, const char *credentials,
		    const struct buf *more);

#endif
