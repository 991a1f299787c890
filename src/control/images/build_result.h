/* build_result.h - what the rows of a version and of its build become when the build ends: changes
 * (change.h) whose `result` is what the image role says, or what stands for it. */
#ifndef CONTROL_IMAGES_BUILD_RESULT_H
#define CONTROL_IMAGES_BUILD_RESULT_H

#include "control/images/change.h"

extern const struct change_ops build_result_built, build_result_failed;
extern const struct change_ops build_result_cancelled; /* somebody asked for it */

#endif
