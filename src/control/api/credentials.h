/* credentials.h - where the roles of the configuration have credentials for their microVMs from
 * (microvm/guest_role.h): a file, a program, or a session of doze's own. */
#ifndef CONTROL_API_CREDENTIALS_H
#define CONTROL_API_CREDENTIALS_H

#include "control/api/call.h"
#include "control/microvm/guest_role.h"

extern const struct guest_role_ops credentials_ops;

/* May the request name this role?  False: the call has failed, since nothing of the configuration
 * knows it and that is to be refused.  Else the log says so, once for each such role of
 * microVMs. */
bool credentials_role_ok(struct call *c, const char *member);

#endif
