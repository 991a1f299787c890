/* routes.h - what the proxy is told about endpoints, and what it tells (ipc/route.h). */
#ifndef CONTROL_CHANNELS_ROUTES_H
#define CONTROL_CHANNELS_ROUTES_H

#include "control/control.h"
#include "control/model/model.h"
#include "ipc/route.h"

void routes_push(struct microvm *vm);       /* as its state says */
void routes_open_early(struct microvm *vm); /* the guest is ready, its row on the way */
/* Who waits is refused (502), then as its state says. */
void routes_refuse(struct microvm *vm);
void routes_gone(struct microvm *vm);
void routes_hold(struct microvm *vm);
void routes_release(struct microvm *vm);

/* Pure. */
enum route_state routes_state(const struct microvm *vm, bool starting);

void routes_got(struct control *ctl, struct ipc_msg *m); /* for role_channels.c */
void routes_up(struct control *ctl);

#endif
