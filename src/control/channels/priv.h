/* priv.h - what control asks of priv (ipc/priv.h).
 *
 * A request outlives priv: what a crashed priv has not answered is asked of the
 * next one; a start is then preceded by an end, so that a machine that the old
 * one had begun is not in the way. */
#ifndef CONTROL_CHANNELS_PRIV_H
#define CONTROL_CHANNELS_PRIV_H

#include "control/control.h"
#include "control/model/model.h"
#include "ipc/priv.h"

typedef void priv_done(void *arg, int rc, const struct err *e);
typedef void priv_item(void *arg, const struct priv_machine_item *item);

/* @done comes once, unless priv_forget was called; it may be NULL for an end. */
void priv_start(struct control *ctl, const struct priv_machine_start *what, priv_done *done,
		void *arg);
void priv_end(struct control *ctl, const char *machine, priv_done *done, void *arg);
void priv_list(struct control *ctl, priv_item *item, priv_done *done, void *arg);
void priv_forget(struct control *ctl, void *arg); /* its calls go on, untold */

/* @gone is told of each machine that ended by itself; priv has not cleared it yet. */
void priv_open(struct control *ctl, void (*gone)(struct control *ctl, const char *machine));

void priv_on_message(struct control *ctl, struct ipc_msg *m); /* for channels/roles.h */
void priv_on_up(struct control *ctl);

#endif
