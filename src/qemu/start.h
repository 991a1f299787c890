/* start.h - the steps that BOOT and RESTORE share: they start QEMU and ask what it is. */
#ifndef QEMU_START_H
#define QEMU_START_H

#include "qemu/args.h"
#include "qemu/machine.h"

int start_check_shape(const struct machine_shape *shape, struct err *e) must_check;
/* Start QEMU with these arguments; the connections are filled in here.  QEMU's greeting ends the
 * step. */
enum step start_qemu(struct machine *m, struct qemu_args *a, struct err *e);

machine_step start_negotiate; /* end the handshake */
machine_step start_cpu;       /* m->host.cpuid */

/* restore.c: QEMU's events about what it loads. */
void restore_loading(struct machine *m, const char *status /* NULL: none was said */);

/* flatten.c: copies the save's disk into the overlay.  QEMU's event ends it; @error is NULL on
 * success. */
machine_step flatten_begin; /* nothing to do unless the disk is layered */
void flatten_ended(struct machine *m, const char *error);

#endif
