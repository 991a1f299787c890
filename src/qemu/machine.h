/* machine.h - the life of one machine: requests of its owner, turned into steps.
 *
 * A request that takes time is an operation: a table of steps, each done at once, or begun and
 * ended by a callback (machine_next, machine_fail).  One operation at a time; STOP and GET_STATS
 * are served in the middle of it, everything else is refused as a conflict.
 *
 *   EMPTY    BOOT, RESTORE        RUNNING  PAUSE, SNAPSHOT, SAVE
 *   PAUSED   CONTINUE, SNAPSHOT, SAVE      ENDING  nothing
 *
 * SNAPSHOT is for a machine that was booted, SAVE for one that was restored.  BOOT and RESTORE that
 * fail end the machine; SNAPSHOT and SAVE that fail leave it paused. */
#ifndef QEMU_MACHINE_H
#define QEMU_MACHINE_H

#include "ipc/machine.h"
#include "qemu/agent.h"
#include "qemu/child.h"
#include "qemu/peer.h"
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

extern const struct machine_op op_boot;

struct machine {
	struct loop *loop;   /* borrowed */
	const char *program; /* QEMU; borrowed */
	struct tsc_point started;
	struct peer peer;
	struct agent agent;
	struct stream stream;
	enum machine_run run;

	const struct machine_op *op; /* under way; NULL: none */
	size_t step;
	uint64_t tag;
	int fds[RESTORE_NUM_SAVE_FDS]; /* of the operation; owned until its end; -1: none */
	struct timer timer;            /* of the step */

	struct qmp qmp;
	struct child qemu;
	struct tail errors, console;
	struct timer doom; /* QEMU does not end though its connection has */
	bool quitting;     /* its end is part of the operation */
	char shutdown[64]; /* why the guest ended, as QEMU says */

	bool booted; /* not restored */

	struct machine_shape shape;
	int memory_fd, overlay_fd; /* owned */
	char version[32];          /* QEMU's */
	uint64_t cpuid;            /* hash of the guest's */
	uint64_t tsc_khz;
};

int machine_open(struct machine *m, struct loop *l, const char *program, struct err *e) must_check;
void machine_close(struct machine *m);

/* The step under way is done; go on.  Harmless when there is no operation. */
void machine_next(struct machine *m);
/* The guest runs now: an operation's `done` that answers READY. */
void machine_running(struct machine *m);
/* The operation failed. */
void machine_fail(struct machine *m, const struct err *why);
/* Last words: QEMU is killed, the owner told, the loop stopped when it has heard. */
void machine_end(struct machine *m, const char *fmt, ...) printf_like(2, 3);
/* Send a command whose answer ends the step. */
enum step machine_ask(struct machine *m, const char *command, json_t *args, int fd, struct err *e);

#endif
