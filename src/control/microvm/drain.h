/* drain.h - a snapshot is taken of every microVM that runs, so that the daemon may stop. */
#ifndef CONTROL_MICROVM_DRAIN_H
#define CONTROL_MICROVM_DRAIN_H

#include "control/control.h"

/* `done` when no microVM is RUNNING. */
void control_drain(struct control *ctl,
		   void (*done)(void *arg, unsigned suspended, unsigned failed), void *arg);

#endif
