/* credentials_outside.h - credentials for microVMs that others make: a file's, or a program's. */
#ifndef CONTROL_API_CREDENTIALS_OUTSIDE_H
#define CONTROL_API_CREDENTIALS_OUTSIDE_H

#include "control/api/call.h"
#include "control/microvm/guest_role.h"

typedef void credentials_source(struct control *ctl, const struct iam_role *role,
				const struct microvm *vm, credentials_given *given);

extern credentials_source credentials_of_file;
/* priv runs it.  Those who ask while it runs share what it prints. */
extern credentials_source credentials_of_program;
void credentials_forget_programs(struct control *ctl); /* at the end of control */

#endif
