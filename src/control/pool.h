/* pool.h - clones of image versions, restored, warmed and stopped before anybody asks (design 1.5).
 *
 * A version in use has a template (its RAM in a sealed memfd, copied once) and,
 * if it is the active one of its image, a few clones. */
#ifndef CONTROL_POOL_H
#define CONTROL_POOL_H

#include "control/control.h"

/* Something changed (a version became active, a machine ended, memory came free): look again. */
void pool_wake(struct control *ctl);

/* No template and no clone of this version any more: before its files go and before it is freed. */
void pool_forget(struct image_version *v);

#endif
