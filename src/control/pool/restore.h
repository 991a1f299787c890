/* restore.h - RESTORE of a machine from an image version, and from a checkpoint over it. */
#ifndef CONTROL_POOL_RESTORE_H
#define CONTROL_POOL_RESTORE_H

#include "control/pool/template.h"

/* Opens the files off the loop, then asks the machine; `done` is called as for machine_ask.  The
 * template must be loaded.  @checkpoint is N of the microVM's checkpoint; if it is 0, the machine
 * is restored from the image alone, and @vm may be NULL. */
void restore_machine(struct template *t, struct machine *m, const struct microvm *vm,
		     int64_t checkpoint, machine_done *done);

#endif
