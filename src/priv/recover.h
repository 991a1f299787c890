/* recover.h - what an earlier priv left: machines that live are adopted, all else is cleared,
 * before anything new is made. */
#ifndef PRIV_RECOVER_H
#define PRIV_RECOVER_H

#include "priv/priv.h"

int recover_all(struct priv *p, struct err *e) must_check;

#endif
