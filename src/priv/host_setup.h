/* host_setup.h - what priv changes on the host for all slots together: forwarding and the nft
 * table, which follows the host's resolver. */
#ifndef PRIV_HOST_SETUP_H
#define PRIV_HOST_SETUP_H

#include "priv/child.h"
#include "priv/names.h"

struct host_setup {
	struct loop *loop;
	const struct names *names; /* borrowed */
	const char
		*configured; /* the resolver of the configuration, borrowed; "": the host's own */
	char *record;        /* path of <run_dir>/ip_forward, which holds the earlier setting */
	uint32_t resolver;
	struct timer check;
	struct child loading;
};

int host_setup_open(struct host_setup *h, struct loop *l, const struct names *n,
		    const char *run_dir, const char *resolver, struct err *e) must_check;
/* Checks at once whether the resolver has changed. It is called when a slot is handed out. */
void host_setup_check(struct host_setup *h);
/* Undoes all of it if @remove is set. */
void host_setup_close(struct host_setup *h, bool remove);

#endif
