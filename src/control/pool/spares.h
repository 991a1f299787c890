/* spares.h - spare monitors: processes in their jails without an image, each waiting for any image
 * of its shape (engines[].spares).
 *
 * For each shape that ran recently, [pool] spares of them are kept.  They are made only when nobody
 * waits to start.  A spare has no row, so after a restart of control it ends like any machine
 * without one, and a new one is made. */
#ifndef CONTROL_POOL_SPARES_H
#define CONTROL_POOL_SPARES_H

#include "control/machine/machine.h"

/* @wanted is called when a spare is missing; it is to call spares_check later. */
void spares_open(struct control *ctl, void (*wanted)(struct control *ctl));

/* A spare for a machine of this version, which the caller owns from now on; NULL: none is ready.
 * Either way the shape counts as used. */
struct machine *spares_take(struct control *ctl, struct image_version *v, bool internet,
			    const struct machine_ops *ops, void *owner);
void spares_give_back(struct machine *m); /* it was not used since spares_take */
void spares_check(struct control *ctl);   /* makes what is missing, ends what is too much */
unsigned spares_ready(const struct control *ctl);

/* How many a shape should have; pure. */
struct spares_facts {
	bool stopping;
	int64_t since_ms, recent_ms; /* since it was used; [pool] recent_ms */
	unsigned each;               /* [pool] spares */
};
unsigned spares_target(const struct spares_facts *f);

#endif
