/* mdir.h - <run_dir>/m/<machine>/: what a machine is, for the next priv, and its sockets. */
#ifndef PRIV_MDIR_H
#define PRIV_MDIR_H

#include "ipc/priv.h"
#include "priv/priv.h"

struct mdir_sockets {
	int sock, stream; /* listening; owned */
};

/* The directory with `owner`, `slot` and both sockets. */
int mdir_make(struct priv *p, const struct priv_machine_item *item, struct mdir_sockets *s,
	      struct err *e) must_check;
/* `pid`: with it the machine can be found again. */
int mdir_set_pid(struct priv *p, const struct priv_machine_item *item, struct err *e) must_check;
/* What stands there, and whether its process lives. */
bool mdir_load(struct priv *p, const char *machine, struct priv_machine_item *item);
void mdir_remove(struct priv *p, const char *machine);

/* Field 22 of /proc/<pid>/stat, or 0: no such process, or a dead one. */
uint64_t mdir_start_time(pid_t pid);

#endif
