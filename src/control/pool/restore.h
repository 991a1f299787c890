/* restore.h - RESTORE of a machine from an image version, and from a checkpoint over it. */
#ifndef CONTROL_POOL_RESTORE_H
#define CONTROL_POOL_RESTORE_H

#include "control/pool/template.h"

/* Open the files off the loop, then ask the machine; `done` as for machine_ask.  The template is
 * loaded.  @checkpoint: N of vm's checkpoint; 0: from the image alone, and @vm may be NULL. */
void restore_machine(struct template *t, struct machine *m, const struct microvm *vm,
		     int64_t checkpoint, machine_done *done);

#endif
