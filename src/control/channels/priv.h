/* priv.h - what control asks of priv (ipc/priv.h).
 *
 * A request outlives priv: if priv crashes before it has answered, the request is sent to the next
 * one.  A start that is sent again is preceded by an end, because the old priv may have begun to
 * make the machine. */
#ifndef CONTROL_CHANNELS_PRIV_H
#define CONTROL_CHANNELS_PRIV_H

#include "control/control.h"
#include "control/model/model.h"
#include "ipc/priv.h"

typedef void priv_done(void *arg, int rc, const struct err *e);
typedef void priv_item(void *arg, const struct priv_machine_item *item);

/* @done is called once, unless priv_forget was called before.  It may be NULL for an end. */
void priv_start(struct control *ctl, const struct priv_machine_start *what, priv_done *done,
		void *arg);
void priv_end(struct control *ctl, const char *machine, priv_done *done, void *arg);
void priv_list(struct control *ctl, priv_item *item, priv_done *done, void *arg);
/* The guest of this machine reaches doze's API from now on. */
void priv_open_api(struct control *ctl, const char *machine, priv_done *done, void *arg);
/* Runs the credentials_process of [role NAME]; what it prints goes to @fd, which stays the
 * caller's.
 */
void priv_credentials(struct control *ctl, const char *role, int fd, priv_done *done, void *arg);
/* The requests with this @arg go on, but their @done is not called. */
void priv_forget(struct control *ctl, void *arg);

/* @gone is called for each machine that ended by itself; priv has not cleared it yet. */
void priv_open(struct control *ctl, void (*gone)(struct control *ctl, const char *machine));

void priv_on_message(struct control *ctl, struct ipc_msg *m); /* for channels/roles.h */
void priv_on_up(struct control *ctl);

#endif
