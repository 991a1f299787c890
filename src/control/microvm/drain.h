/* drain.h - a drain suspends every microVM that runs, so that the daemon may stop.
 *
 * Each microVM is tried once, a few at a time, and one that cannot be saved runs on.  A drain lasts
 * as long as something moves, and gives up nothing that can be kept. */
#ifndef CONTROL_MICROVM_DRAIN_H
#define CONTROL_MICROVM_DRAIN_H

#include <jansson.h>

#include "control/control.h"

typedef void drain_done(void *arg, unsigned suspended, unsigned failed);

/* Several callers may ask; one drain answers them all. */
void drain_start(struct control *ctl, drain_done *done, void *arg);
/* How far the drain is, as GET /doze/v1/drain answers (docs/api-doze.md).  The value is the
 * caller's. */
json_t *drain_progress(const struct control *ctl);
/* A number that grows while something moves, for the supervisor. */
uint64_t drain_bytes(const struct control *ctl);

#endif
