/* tell.h - a change of an image, a version or a build as an event. */
#ifndef CONTROL_IMAGES_TELL_H
#define CONTROL_IMAGES_TELL_H

#include "control/model/model.h"

/* What memory has, and what the rows say that are durable now.  Of a version and a build if the
 * change is about them. */
struct told {
	const struct image *image, *image_row;
	const struct image_version *version, *version_row;
	const struct build *build, *build_row;
	bool removed; /* the rows are gone: of the version if there is one, else of the image */
};
void tell_change(struct control *ctl, const struct told *t);

#endif
