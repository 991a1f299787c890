/* args.h - makes QEMU's command line from numbers of descriptors.  Pure.
 *
 * The list of devices is part of a snapshot.  Template and clone must have the same one, so there
 * is one table for both, and QEMU_MACHINE names its shape.  They differ only in where memory comes
 * from, whether a kernel is loaded, and the chain of disks. */
#ifndef QEMU_ARGS_H
#define QEMU_ARGS_H

#include "base/base.h"
#include "ipc/machine.h"

/* Must change when older snapshots no longer load: other devices, another order, another CPU. */
#define QEMU_MACHINE "microvm-tcg-2"

#define QEMU_TB_MIB 64 /* memory for translated code; LIMIT_MACHINE_EXTRA has room for it */

/* Node names of the disks, top to bottom.  SAVE is there only while a save is being flattened. */
#define NODE_OVERLAY "overlay"
#define NODE_SAVE    "save"
#define NODE_DISK    "disk"
#define NODE_ROOT    "root"

/* An absent descriptor is -1. */
struct qemu_args {
	const char *qemu; /* the program */
	struct machine_shape shape;
	int qmp, agent, tap;
	int memory;                  /* a memfd of the whole RAM */
	int kernel, initrd, console; /* BOOT; without a kernel QEMU waits for a state to load */
	int state;                   /* the state to load, if there is no kernel */
	int root, disk, save,
		overlay;  /* read-only raw, read-only qcow2 (twice), read-write qcow2 */
	uint64_t tsc_khz; /* BOOT */
};

#define ARGV_MAX 96

struct argv {
	char *at[ARGV_MAX]; /* owned; ends with NULL */
	size_t n;
};

void args_build(struct argv *v, const struct qemu_args *a);
void argv_free(struct argv *v);

#endif
