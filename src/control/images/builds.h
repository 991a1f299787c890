/* builds.h - builds: which of them the image role works on, and what comes of them.
 *
 * At most conf.build_at_once at a time; accounts take turns.  A build is IN_PROGRESS in the store
 * before the image role hears of it, and its result is written until it is durable. */
#ifndef CONTROL_IMAGES_BUILDS_H
#define CONTROL_IMAGES_BUILDS_H

#include "control/control.h"
#include "control/images/change.h"
#include "control/model/model.h"

void builds_open(struct control *ctl); /* what an earlier run left unfinished is queued */
void builds_close(struct control *ctl);

/* Its rows are durable: build it when there is room. */
void builds_queue(struct control *ctl, struct build *b);
/* It ends as any failed build.  `done` when that is durable, or when the image role, if it works on
 * it, is told to stop although the store is full; at once, if the build has ended already or its
 * result is being written. */
void builds_cancel(struct control *ctl, struct build *b, images_done *done, void *arg);
struct build *builds_find(struct control *ctl, const char *id);      /* NULL: unknown */
size_t builds_count(const struct control *ctl, const char *account); /* that have not ended */
bool builds_ended(const struct build *b);                            /* SUCCESSFUL, FAILED */

/* Of the image role (channels/builder.h). */
void builds_builder_up(struct control *ctl);
void builds_got_step(struct control *ctl, const struct build_step *step);
void builds_got_done(struct control *ctl, const struct build_done *done);

#endif
