/* machine.h - the machines: started, watched, found again after a restart, ended.
 *
 * <run_dir>/m/<machine>/ is made before the process and removed after its end, so that a crash
 * in between leaves what the next start can clear (recover.h). */
#ifndef PRIV_MACHINE_H
#define PRIV_MACHINE_H

#include "priv/priv.h"

struct ipc_msg;

void machine_start(struct priv *p, const struct ask *a, struct ipc_msg *m);
void machine_end(struct priv *p, const struct ask *a, struct ipc_msg *m);
void machine_list(struct priv *p, const struct ask *a, struct ipc_msg *m);

/* The owner's connection ended: nobody will end what has died. */
void machines_orphaned(struct priv *p, enum priv_owner_role role);
void machines_end_all(struct priv *p);

/* Watch again what an earlier priv started; its slot is taken. */
int machine_adopt(struct priv *p, const struct priv_machine_item *item, struct err *e) must_check;
bool machine_is_known(struct priv *p, const char *id);

#endif
