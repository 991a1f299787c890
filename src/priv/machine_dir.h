/* machine_dir.h - <run_dir>/m/<machine>/: what a machine is, for the next priv, and its sockets. */
#ifndef PRIV_MACHINE_DIR_H
#define PRIV_MACHINE_DIR_H

#include "ipc/priv.h"
#include "priv/priv.h"

struct machine_dir_sockets {
	int sock, stream; /* listening; owned */
};

/* The directory with `owner`, `slot` and both sockets. */
int machine_dir_make(struct priv *p, const struct priv_machine_item *item,
		     struct machine_dir_sockets *s, struct err *e) must_check;
/* `pid`: with it the machine can be found again. */
int machine_dir_set_pid(struct priv *p, const struct priv_machine_item *item,
			struct err *e) must_check;
/* What stands there, and whether its process lives. */
bool machine_dir_load(struct priv *p, const char *machine, struct priv_machine_item *item);
void machine_dir_remove(struct priv *p, const char *machine);

/* Field 22 of /proc/<pid>/stat, or 0: no such process, or a dead one. */
uint64_t machine_dir_start_time(pid_t pid);

#endif
