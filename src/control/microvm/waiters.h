/* waiters.h - the callers that wait for the answer of lifecycle_suspend, _resume or _terminate. */
#ifndef CONTROL_MICROVM_WAITERS_H
#define CONTROL_MICROVM_WAITERS_H

#include "base/list.h"
#include "control/model/done.h"
#include "control/model/microvm.h"

void waiters_add(struct list *waits, change_done *done, void *arg); /* @done may be NULL */
void waiters_notify(struct list *waits, int rc, const struct err *e);
void waiters_notify_ended(const struct microvm *vm, struct list *waits);
/* The error of a microVM that has been terminated; returns -1. */
int waiters_ended(const struct microvm *vm, struct err *e);

#endif
