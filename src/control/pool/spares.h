/* spares.h - machines that were asked nothing yet: processes in their jails, waiting for any image
 * of their shape (engines[].spares).
 *
 * [pool] spares of them are kept for each shape that ran of late, made when nobody waits to start.
 * They have no row: after a restart of control they end as any machine without one, and new ones
 * are made. */
#ifndef CONTROL_POOL_SPARES_H
#define CONTROL_POOL_SPARES_H

#include "control/machine/machine.h"

/* A spare for a machine of this version, whose owner is the caller now, or NULL.  Either way the
 * shape is in use from here on. */
/* @wanted is called when one is missing: spares_check makes it, later. */
void spares_open(struct control *ctl, void (*wanted)(struct control *ctl));

struct machine *spares_take(struct control *ctl, struct image_version *v, bool internet,
			    const struct machine_ops *ops, void *owner);
void spares_give_back(struct machine *m); /* untouched since spares_take */
void spares_check(struct control *ctl);   /* make what is missing, end what is too much */
unsigned spares_ready(const struct control *ctl);

/* How many a shape should have; pure. */
struct spares_facts {
	bool stopping;
	int64_t since_ms, recent_ms; /* since it was used; [pool] recent_ms */
	unsigned each;               /* [pool] spares */
};
unsigned spares_target(const struct spares_facts *f);

#endif
