/* machine.h - the machines: started, watched, found again after a restart, ended.
 *
 * <run_dir>/m/<machine>/ is made before the process and removed after its end, so that a crash
 * in between leaves what the next start can clear (recover.h). */
#ifndef PRIV_MACHINE_H
#define PRIV_MACHINE_H

#include "priv/priv.h"
#include "priv/status.h"

struct ipc_msg;

enum machine_state {
	MACHINE_WAITS,  /* for a slot; nothing of it exists */
	MACHINE_STARTS, /* directory, cgroup and a process on its way */
	MACHINE_LIVES,
	MACHINE_IS_DEAD,   /* the process ended by itself; its owner ends the rest */
	MACHINE_IS_ENDING, /* until its cgroup is gone */
};

struct machine {
	struct list in;
	struct priv *priv;
	enum machine_state state;
	struct priv_machine_start what;
	struct priv_machine_item item;
	struct ask starter; /* not answered yet in MACHINE_WAITS and MACHINE_STARTS */
	struct slot_wait slot;
	struct child launch;
	struct status status;
	int pidfd;
	struct watch pid_watch;
	struct cgroup_end group_end;
	struct list enders;
};

/* Requests. */
void machine_start(struct priv *p, const struct ask *a, struct ipc_msg *m);
void machine_end(struct priv *p, const struct ask *a, struct ipc_msg *m);
void machine_list(struct priv *p, const struct ask *a, struct ipc_msg *m);

/* Between machine.c and start.c. */
struct machine *machine_new(struct priv *p, enum machine_state state);
struct machine *machine_find(struct priv *p, const char *id);
void machine_free(struct machine *m);                           /* its enders are answered */
int machine_watch(struct machine *m, struct err *e) must_check; /* m->pidfd */
void machine_launched(struct child *c, int status);
void machine_fail(struct machine *m, const struct err *e); /* refuse its starter, then end it */

/* The owner's connection ended: nobody will end what has died. */
void machines_orphaned(struct priv *p, enum priv_owner_role role);
void machines_end_all(struct priv *p);

/* Watch again what an earlier priv started; its slot is taken. */
int machine_adopt(struct priv *p, const struct priv_machine_item *item, struct err *e) must_check;

#endif
