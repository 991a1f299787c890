/* build_spec.h - what the image role is told of a version (docs/data-layout.md, "The build spec").
 */
#ifndef CONTROL_IMAGES_BUILD_SPEC_H
#define CONTROL_IMAGES_BUILD_SPEC_H

#include "control/control.h"
#include "control/model/model.h"

/* A memfd with the JSON, owned by the caller; -1: the host has no memory for it.  @params are those
 * of the version, opened (model/sealing.h). */
int build_spec_fd(const struct control *ctl, const struct image_version *v, const json_t *params);

#endif
