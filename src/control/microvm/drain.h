/* drain.h - every microVM that runs is suspended, so that the daemon may stop.
 *
 * Each is tried once, a few at a time: one that cannot be saved runs on.  A drain lasts as long as
 * something moves; nothing that can be kept is given up for its sake. */
#ifndef CONTROL_MICROVM_DRAIN_H
#define CONTROL_MICROVM_DRAIN_H

#include <jansson.h>

#include "control/control.h"

typedef void drain_done(void *arg, unsigned suspended, unsigned failed);

/* Several may ask; one drain answers them all. */
void drain_start(struct control *ctl, drain_done *done, void *arg);
/* How far it is: the answer of GET /doze/v1/drain (docs/api-doze.md); the caller's. */
json_t *drain_progress(const struct control *ctl);
/* For the supervisor: grows while something moves. */
uint64_t drain_bytes(const struct control *ctl);

#endif
