/* build_progress.h - what a build has done so far, step by step, as the image role tells it.
 *
 * It is kept in memory alone: after a restart of control it begins with the step under way. */
#ifndef CONTROL_IMAGES_BUILD_PROGRESS_H
#define CONTROL_IMAGES_BUILD_PROGRESS_H

#include "control/model/model.h"

#define BUILD_PARTS_MAX 1024 /* the last of them takes over what follows */

void build_progress_note(struct build *b, const struct build_step *step, int64_t now_ms);
void build_progress_stop(struct build *b, int64_t now_ms); /* the build has ended */
/* The steps from number @from on, as docs/api-doze.md shows them. */
json_t *build_progress_steps(const struct build *b, size_t from, int64_t now_ms);

#endif
