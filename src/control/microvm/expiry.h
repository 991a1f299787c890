/* expiry.h - once a second, each microVM gets what has become due for it (policy.h). */
#ifndef CONTROL_MICROVM_EXPIRY_H
#define CONTROL_MICROVM_EXPIRY_H

#include "control/control.h"

int expiry_open(struct control *ctl, struct err *e) must_check;
void expiry_close(struct control *ctl);

#endif
