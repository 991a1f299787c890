/* credentials.h - runs the program that prints a role's credentials ([role NAME]
 * credentials_process): as the user that its section names, without rights, in a pid namespace of
 * its own, so that nothing of it is left.  What it prints goes to a descriptor of control's, which
 * priv does not read. */
#ifndef PRIV_CREDENTIALS_H
#define PRIV_CREDENTIALS_H

#include "priv/priv.h"

#define CREDENTIALS_MS      30000 /* then it is killed */
#define CREDENTIALS_AT_ONCE 8

void credentials_start(struct priv *p, const struct request *a, struct ipc_msg *m);

#endif
