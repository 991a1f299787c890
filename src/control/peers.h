/* peers.h - the channels to priv, image and proxy: a role that crashed and came back is a new one.
 */
#ifndef CONTROL_PEERS_H
#define CONTROL_PEERS_H

#include "control/control.h"

void peers_init(struct control *ctl);
/* Take the socket over, in place of the old channel.  -1: not a role that control talks to. */
int peers_set(struct control *ctl, enum role role, int fd);
void peers_close(struct control *ctl);

#endif
