/* roles.h - the channels to priv and image.  A role that crashed comes back with a new
 * channel, which takes the place of the old one. */
#ifndef CONTROL_CHANNELS_ROLES_H
#define CONTROL_CHANNELS_ROLES_H

#include "control/control.h"
#include "control/model/model.h"

/* One channel of control; a role without rows is not talked to. */
struct role_channel {
	size_t chan; /* offset of its struct chan_uv in struct control */
	const struct ipc_row *rows;
	size_t n_rows;
	void (*on_message)(struct control *ctl, struct ipc_msg *m);
	void (*on_up)(struct control *ctl); /* the role is there, for the first time or again */
};

/* @channels has ROLE_NUM entries, by enum role, and is borrowed. */
void role_channels_init(struct control *ctl, const struct role_channel *channels);
/* Takes over the socket, which replaces the role's old channel.  -1: control does not talk to this
 * role, and the socket stays the caller's. */
int role_channels_set(struct control *ctl, enum role role, int fd);
void role_channels_close(struct control *ctl);

#endif
