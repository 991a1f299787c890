/* mproc.h - the processes of machines: they are started, watched, found again after a restart, and
 * ended.
 *
 * <run_dir>/m/<machine>/ is made before the process and removed after its end, so that the next
 * start can clear whatever a crash leaves (recover.h). */
#ifndef PRIV_MPROC_H
#define PRIV_MPROC_H

#include "priv/priv.h"
#include "priv/status.h"

struct ipc_msg;

enum mproc_state {
	MPROC_WAITS,  /* for a slot; nothing of the machine exists yet */
	MPROC_STARTS, /* its directory and cgroup exist, and its process is being started */
	MPROC_LIVES,
	MPROC_IS_DEAD,   /* the process has ended by itself, and its owner must END the rest */
	MPROC_IS_ENDING, /* its cgroup is not gone yet */
};

struct mproc {
	struct list in;
	struct priv *priv;
	enum mproc_state state;
	struct priv_machine_start what;
	struct priv_machine_item item;
	struct request starter; /* is unanswered in MPROC_WAITS and MPROC_STARTS */
	struct slot_wait slot;
	struct child launch;
	struct status status;
	int pidfd;
	struct watch pid_watch;
	struct cgroup_end group_end;
	struct list enders;
};

/* Requests. */
void mproc_start(struct priv *p, const struct request *a, struct ipc_msg *m);
void mproc_end(struct priv *p, const struct request *a, struct ipc_msg *m);
void mproc_open_api(struct priv *p, const struct request *a, struct ipc_msg *m);
void mproc_list(struct priv *p, const struct request *a, struct ipc_msg *m);

/* Between mproc.c and mproc_start.c. */
struct mproc *mproc_new(struct priv *p, enum mproc_state state);
struct mproc *mproc_find(struct priv *p, const char *id);
void mproc_free(struct mproc *m);                           /* its enders are answered first */
int mproc_watch(struct mproc *m, struct err *e) must_check; /* m->pidfd */
void mproc_launched(struct child *c, int status);
void mproc_fail(struct mproc *m, const struct err *e); /* refuses its starter, then ends it */

/* The owner's connection has ended, so nobody else will end the machines that have died. */
void mprocs_orphaned(struct priv *p, enum priv_owner_role role);
void mprocs_end_all(struct priv *p);

/* Watches a machine that an earlier priv started, and marks its slot as taken.  1: it is gone; -1:
 * it lives and cannot be watched. */
int mproc_adopt(struct priv *p, const struct priv_machine_item *item, struct err *e) must_check;

#endif
