/* removal.h - what is DELETING goes: first its files, which the image role removes, then its rows.
 */
#ifndef CONTROL_IMAGES_REMOVAL_H
#define CONTROL_IMAGES_REMOVAL_H

#include "control/control.h"
#include "control/model/model.h"

/* Its row, or that of its image, says DELETING.  Asked again when the image role comes back. */
void removal_begin(struct control *ctl, struct image_version *v);

/* Of the image role (channels/builder.h): the files are gone. */
void removal_done(struct control *ctl, const char *id, int64_t version);

#endif
