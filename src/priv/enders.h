/* enders.h - the requests to END a machine or a build, which are answered when all of it is
 * cleared. */
#ifndef PRIV_ENDERS_H
#define PRIV_ENDERS_H

#include "priv/priv.h"

void enders_add(struct list *enders, const struct request *a);
void enders_done(struct priv *p,
		 struct list *enders); /* answers each with DONE; then none is left */

#endif
