/* mproc.h - the machines: started, watched, found again after a restart, ended.
 *
 * <run_dir>/m/<machine>/ is made before the process and removed after its end, so that a crash
 * in between leaves what the next start can clear (recover.h). */
#ifndef PRIV_MPROC_H
#define PRIV_MPROC_H

#include "priv/priv.h"
#include "priv/status.h"

struct ipc_msg;

enum mproc_state {
	MPROC_WAITS,  /* for a slot; nothing of it exists */
	MPROC_STARTS, /* directory, cgroup and a process on its way */
	MPROC_LIVES,
	MPROC_IS_DEAD,   /* the process ended by itself; its owner ends the rest */
	MPROC_IS_ENDING, /* until its cgroup is gone */
};

struct mproc {
	struct list in;
	struct priv *priv;
	enum mproc_state state;
	struct priv_machine_start what;
	struct priv_machine_item item;
	struct request starter; /* not answered yet in MPROC_WAITS and MPROC_STARTS */
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
void mproc_list(struct priv *p, const struct request *a, struct ipc_msg *m);

/* Between mproc.c and mproc_start.c. */
struct mproc *mproc_new(struct priv *p, enum mproc_state state);
struct mproc *mproc_find(struct priv *p, const char *id);
void mproc_free(struct mproc *m);                           /* its enders are answered */
int mproc_watch(struct mproc *m, struct err *e) must_check; /* m->pidfd */
void mproc_launched(struct child *c, int status);
void mproc_fail(struct mproc *m, const struct err *e); /* refuse its starter, then end it */

/* The owner's connection ended: nobody will end what has died. */
void mprocs_orphaned(struct priv *p, enum priv_owner_role role);
void mprocs_end_all(struct priv *p);

/* Watch again what an earlier priv started; its slot is taken. */
int mproc_adopt(struct priv *p, const struct priv_machine_item *item, struct err *e) must_check;

#endif
