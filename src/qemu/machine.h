/* machine.h - the lifecycle of one machine: turns its owner's requests into steps.
 *
 * A request that takes time is an operation, which is a table of steps.  A step completes at once,
 * or a callback ends it later (machine_next, machine_fail).  There is one operation at a time. STOP
 * and GET_STATS are served during it, and everything else is refused as a conflict.
 *
 *   EMPTY    BOOT, RESTORE        RUNNING  PAUSE, SNAPSHOT, SAVE
 *   PAUSED   CONTINUE, SNAPSHOT, SAVE      ENDING  nothing
 *
 * SNAPSHOT is for a machine that was booted, SAVE for one that was restored.  A failed BOOT or
 * RESTORE ends the machine; a failed SNAPSHOT or SAVE leaves it paused. */
#ifndef QEMU_MACHINE_H
#define QEMU_MACHINE_H

#include <sys/types.h>

#include "ipc/machine.h"
#include "machine/format.h"
#include "machine/owner.h"
#include "qemu/child.h"
#include "qemu/explain.h"
#include "qemu/pages.h"
#include "qemu/port.h"
#include "qemu/qmp.h"
#include "qemu/stream.h"
#include "qemu/tail.h"
#include "qemu/tsc.h"

struct machine;

enum step { STEP_NEXT, STEP_WAIT, STEP_FAULT };
typedef enum step machine_step(struct machine *m, struct err *e);

struct machine_op {
	const char *name;
	machine_step *const *steps; /* ends with NULL */
	void (*done)(struct machine *m);
	bool vital; /* its fault ends the machine */
};

extern const struct machine_op op_boot, op_restore, op_snapshot, op_save;

/* A resumed machine's disk depends on its save until the save is copied into the overlay. */
enum machine_disk { DISK_FLAT, DISK_FLATTENING, DISK_LAYERED };

struct machine {
	struct loop *loop;   /* borrowed */
	const char *program; /* QEMU; borrowed */
	struct tsc_point started;
	struct owner owner;
	struct port port; /* of the guest's agent */
	struct stream stream;

	const struct machine_op *op; /* under way; NULL: none */
	size_t step;
	uint64_t tag;
	int fds[RESTORE_NUM_SAVE_FDS]; /* of the operation; owned until its end; -1: none */
	struct timer timer;            /* of the step */

	struct qmp qmp;
	struct child qemu;
	struct tail errors, console;
	struct console said; /* what the console's tail has read */
	struct explain explain;
	uint64_t explain_tag;
	struct timer calm; /* for the end of QEMU's urgency; active as long as it is urgent */
	struct timer doom; /* for QEMU to end after its connection has */
	bool quitting;     /* QEMU's end is part of the operation */
	char shutdown[64]; /* why the guest ended, in QEMU's words */

	struct machine_shape shape;
	bool booted;               /* not restored */
	bool hold;                 /* RESTORE: it stays paused */
	bool loading, loaded;      /* RESTORE: the load has started; it is complete */
	int memory_fd, overlay_fd; /* owned */
	struct format host; /* this host and machine; after a RESTORE `over` is the image's id */
	struct format save; /* RESTORE from a save: its header, parsed */
	struct buf save_header;
	struct pages_view view; /* of QEMU's memory, while an operation needs it */
	struct work work;
	enum machine_disk disk;
	int save_disk_set; /* QEMU's descriptor set of the save's disk */
	unsigned saves;    /* attempts */
	int64_t settle_until_ms;
	blkcnt_t flattened_blocks; /* of the overlay, as it was last seen */
	int64_t paused_at_us;
	struct machine_saved saved;
};

int machine_open(struct machine *m, struct loop *l, const char *program, struct err *e) must_check;
void machine_close(struct machine *m);

/* The current step is done; continue.  Harmless if there is no operation. */
void machine_next(struct machine *m);
/* QEMU is not urgent any more (urgent.h). */
void machine_calm(struct machine *m);
/* An operation's `done` for a guest that runs now: answers READY. */
void machine_running(struct machine *m);
/* The operation failed. */
void machine_fail(struct machine *m, const struct err *why);
/* End the machine: kill QEMU, send EXITED, and stop the loop once the owner has read it. */
void machine_end(struct machine *m, const char *fmt, ...) printf_like(2, 3);
/* Send a command whose answer ends the step. */
enum step machine_ask(struct machine *m, const char *command, json_t *args, int fd, struct err *e);

#endif
