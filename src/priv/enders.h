/* enders.h - the askers of an END, who are answered when all of a machine or build is cleared. */
#ifndef PRIV_ENDERS_H
#define PRIV_ENDERS_H

#include "priv/priv.h"

void enders_add(struct list *enders, const struct request *a);
void enders_done(struct priv *p,
		 struct list *enders); /* each is answered once; then none is left */

#endif
