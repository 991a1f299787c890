/* machine_dir.h - <run_dir>/m/<machine>/: the facts about a machine that the next priv needs, and
 * its sockets. */
#ifndef PRIV_MACHINE_DIR_H
#define PRIV_MACHINE_DIR_H

#include "ipc/priv.h"
#include "priv/priv.h"

struct machine_dir_sockets {
	int sock, stream; /* listening; owned */
};

/* Makes the directory with `owner`, `slot` and both sockets. */
int machine_dir_make(struct priv *p, const struct priv_machine_item *item,
		     struct machine_dir_sockets *s, struct err *e) must_check;
/* Writes `pid`, with which the machine can be found again. */
int machine_dir_set_pid(struct priv *p, const struct priv_machine_item *item,
			struct err *e) must_check;
/* Reads what is there; false unless it is whole and the process lives. */
bool machine_dir_load(struct priv *p, const char *machine, struct priv_machine_item *item);
void machine_dir_remove(struct priv *p, const char *machine);

#endif
