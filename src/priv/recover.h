/* recover.h - adopts the machines of an earlier priv that still live and clears everything else
 * that it left, before anything new is made. */
#ifndef PRIV_RECOVER_H
#define PRIV_RECOVER_H

#include "priv/priv.h"

int recover_all(struct priv *p, struct err *e) must_check;

#endif
