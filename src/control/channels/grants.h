/* grants.h - what control tells the objects role of access keys (ipc/access.h). */
#ifndef CONTROL_CHANNELS_GRANTS_H
#define CONTROL_CHANNELS_GRANTS_H

#include "control/control.h"

/* The key is durable, and so is its end; nothing is said while the role is not there. */
void grants_put(struct control *ctl, const struct access_key *key);
void grants_drop(struct control *ctl, const char *id);
void grants_close(struct control *ctl);

/* How many buckets an account has.  -1: the role is not there, *e says so. */
typedef void grants_counted(void *arg, int rc, uint64_t buckets, const struct err *e);
void grants_count(struct control *ctl, const char *account, grants_counted *counted, void *arg);

/* For channels/roles.c. */
void grants_on_up(struct control *ctl);
void grants_on_message(struct control *ctl, struct ipc_msg *m);

#endif
