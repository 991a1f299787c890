/* grants.h - what control tells the objects role of access keys (ipc/access.h). */
#ifndef CONTROL_CHANNELS_GRANTS_H
#define CONTROL_CHANNELS_GRANTS_H

#include "control/control.h"

/* The key is durable, and so is its end; nothing is said while the role is not there. */
void grants_put(struct control *ctl, const struct access_key *key);
void grants_drop(struct control *ctl, const char *id);
void grants_close(struct control *ctl);

/* For channels/roles.c. */
void grants_on_up(struct control *ctl);
void grants_on_message(struct control *ctl, struct ipc_msg *m);

#endif
