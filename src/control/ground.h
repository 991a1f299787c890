/* ground.h - what all else stands on: the directories and the store. */
#ifndef CONTROL_GROUND_H
#define CONTROL_GROUND_H

#include "control/control.h"
#include "control/store/place.h"
#include "control/store/store.h"

int ground_open_dirs(struct control *ctl, struct err *e) must_check;
/* @poll is the caller's, and serves the store's answers to the loop. */
int ground_open_store(struct control *ctl, uv_poll_t *poll, struct err *e) must_check;

#endif
