/* machine.h - the lifecycle of one machine of doze-vmm: carries out its owner's requests
 * (ipc/machine.h).
 *
 * It starts as a board: VM, vCPUs, devices and filters exist, but nothing of a guest.
 *
 *   EMPTY    BOOT, RESTORE        RUNNING  PAUSE, SNAPSHOT, SAVE
 *   PAUSED   CONTINUE, SNAPSHOT, SAVE      ENDING  nothing
 *
 * BOOT, RESTORE, PAUSE and CONTINUE are complete when they return.  SNAPSHOT and SAVE are one
 * operation in steps (save.c).  During it STOP and GET_STATS are served, and everything else is
 * refused as a conflict.  A failed BOOT or RESTORE ends the machine; a failed SNAPSHOT or SAVE
 * leaves it paused.  Everything runs in the loop. */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include "ipc/machine.h"
#include "machine/format.h"
#include "machine/owner.h"
#include "vmm/board.h"
#include "vmm/snap/ram.h"

#define VMM_KIND    "vmm"
#define VMM_HEADER  480          /* an image's header */
#define VMM_STATE   (15 * KIB)   /* the state file of a machine with one vCPU */
#define VMM_MACHINE "doze-vmm-4" /* the list of devices: other snapshots do not fit */

/* SNAPSHOT or SAVE under way. */
struct saving {
	bool active;
	enum format_content content;
	uint64_t tag;
	int fds[SAVE_NUM_FDS]; /* owned; -1: none */
	unsigned step;
	int64_t settle_until_ms;
	struct ram_save ram;
	struct buf state;
	struct machine_saved saved;
};

struct machine {
	struct loop *loop; /* borrowed */
	struct owner owner;
	bool booted;      /* not restored */
	int image_fd;     /* owned: the memory that a restored machine differs from; -1: booted */
	uint8_t over[16]; /* id of that image */
	uint64_t tsc_khz; /* of the counter that the guest reads */
	int64_t paused_at_us;
	struct buf header, state; /* of a snapshot, as read; allocated before a request */
	struct saving saving;
	struct timer timer; /* of the step of a save */
	struct board board;
};

/* @m must be zeroed memory.  It is large, and the parts that stay unused cost none. */
int machine_open(struct machine *m, struct loop *l, const struct machine_shape *shape,
		 struct err *e) must_check;

/* End the machine: send EXITED, and stop the loop once the owner has read it. */
void machine_end(struct machine *m, const char *fmt, ...) printf_like(2, 3);

/* Stop the guest; for the files of a machine. */
void machine_stand(struct machine *m);

static inline struct agent *machine_agent(struct machine *m)
{
	return &m->board.agent.agent;
}

/* What this program writes into a header, and expects in one. */
struct format machine_format(const struct machine *m);
/* A guest has the shape of its board. */
int machine_check_shape(const struct machine *m, const struct machine_shape *shape,
			struct err *e) must_check;

/* boot.c, restore.c: make the guest and leave it paused. */
int machine_boot(struct machine *m, struct ipc_msg *msg, struct err *e) must_check;
int machine_restore(struct machine *m, const struct machine_restore *r, struct ipc_msg *msg,
		    struct err *e) must_check;
/* explain.c */
void machine_explain(struct machine *m, int fd);
/* save.c; answers by itself */
void machine_save(struct machine *m, struct ipc_msg *msg, enum format_content content);
void saving_free(struct saving *s);

#endif
