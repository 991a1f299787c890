/* roles.h - the channels to priv, image and proxy: a role that crashed and came back is a new one.
 */
#ifndef CONTROL_CHANNELS_ROLES_H
#define CONTROL_CHANNELS_ROLES_H

#include "control/control.h"
#include "control/model/model.h"

void role_channels_init(struct control *ctl);
/* Take the socket over, in place of the old channel.  -1: not a role that control talks to. */
int role_channels_set(struct control *ctl, enum role role, int fd);
void role_channels_close(struct control *ctl);

#endif
