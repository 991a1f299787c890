#include "control/channels/roles.h"

#include "base/log.h"

static struct chan_uv *role_channel_chan(struct control *ctl, enum role role)
{
	return (struct chan_uv *)(void *)((char *)ctl + ctl->channels[role].chan);
}

static enum role role_channel_role(const struct control *ctl, const struct chan_uv *c)
{
	return c == &ctl->priv ? ROLE_PRIV : c == &ctl->objects ? ROLE_OBJECTS : ROLE_IMAGE;
}

static void role_channel_on_message(struct chan_uv *c, struct ipc_msg *m)
{
	struct control *ctl = c->poll.loop->data;

	ctl->channels[role_channel_role(ctl, c)].on_message(ctl, m);
}

static void role_channel_lost(struct chan_uv *c)
{
	struct control *ctl = c->poll.loop->data;

	if (!ctl->stopping)
		log_warn("a role is gone role=%s", role_name[role_channel_role(ctl, c)]);
}

static void role_channel_open(struct control *ctl, enum role role);

static void role_channel_freed(struct chan_uv *c)
{
	struct control *ctl = c->poll.loop->data;
	enum role role = role_channel_role(ctl, c);

	if (ctl->next_channel[role] >= 0)
		role_channel_open(ctl, role);
}

static void role_channel_open(struct control *ctl, enum role role)
{
	const struct role_channel *p = &ctl->channels[role];
	struct chan_uv *c = role_channel_chan(ctl, role);
	struct err e;

	if (chan_uv_open(c, &ctl->loop, fd_steal(&ctl->next_channel[role]), p->rows, p->n_rows,
			 role_channel_on_message, role_channel_lost, &e)) {
		log_err("%s role=%s", e.text, role_name[role]);
		return;
	}
	c->freed = role_channel_freed;
	p->on_up(ctl);
}

void role_channels_init(struct control *ctl, const struct role_channel *channels)
{
	ctl->channels = channels;
	for (size_t i = 0; i < ROLE_NUM; i++)
		ctl->next_channel[i] = -1;
}

int role_channels_set(struct control *ctl, enum role role, int fd)
{
	struct chan_uv *c;

	if (!ctl->channels[role].rows)
		return -1;
	c = role_channel_chan(ctl, role);
	fd_close(&ctl->next_channel[role]);
	ctl->next_channel[role] = fd;
	if (c->open)
		chan_uv_close(c, role_channel_freed);
	else if (!c->msg) /* else it is closing, and role_channel_freed opens the next one */
		role_channel_open(ctl, role);
	return 0;
}

void role_channels_close(struct control *ctl)
{
	for (enum role role = 0; role < ROLE_NUM; role++) {
		fd_close(&ctl->next_channel[role]);
		if (ctl->channels[role].rows)
			chan_uv_close(role_channel_chan(ctl, role), NULL);
	}
}
