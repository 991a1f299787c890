/* host_setup.h - what priv changes on the host for all slots together: forwarding and the nft
 * table, which follows the host's resolver. */
#ifndef PRIV_HOST_SETUP_H
#define PRIV_HOST_SETUP_H

#include "priv/child.h"
#include "priv/names.h"

struct host_setup {
	struct loop *loop;
	const struct names *names; /* borrowed */
	const char *configured;    /* resolver, borrowed; "": the host's own */
	char *record;              /* <run_dir>/ip_forward: what it was */
	uint32_t resolver;
	struct timer look;
	struct child loading;
};

int host_setup_open(struct host_setup *h, struct loop *l, const struct names *n,
		    const char *run_dir, const char *resolver, struct err *e) must_check;
/* Look now whether the resolver changed: when a slot is handed out. */
void host_setup_look(struct host_setup *h);
/* Undo all of it, or let it be. */
void host_setup_close(struct host_setup *h, bool remove);

#endif
