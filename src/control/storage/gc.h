/* gc.h - directories that are done with: out of the way by one rename, deleted by a child. */
#ifndef CONTROL_STORAGE_GC_H
#define CONTROL_STORAGE_GC_H

#include "control/control.h"
#include "control/model/model.h"

/* @path below data/control; missing is fine. */
void gc_put(struct control *ctl, const char *path);
/* At start: what was left. */
void gc_sweep(struct control *ctl);

#endif
