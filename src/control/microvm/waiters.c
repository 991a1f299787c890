#include "control/microvm/waiters.h"

#include <stdlib.h>

struct waiter {
	struct list in;
	change_done *done;
	void *arg;
};

void waiters_add(struct list *waits, change_done *done, void *arg)
{
	struct waiter *w;

	if (!done)
		return;
	w = xcalloc(1, sizeof(*w));
	w->done = done;
	w->arg = arg;
	list_add(waits, &w->in);
}

void waiters_notify(struct list *waits, int rc, const struct err *e)
{
	struct list now;

	/* A callback may wait again, so the list is emptied first. */
	list_init(&now);
	list_each(w, waits, struct waiter, in)
	{
		list_del(&w->in);
		list_add(&now, &w->in);
	}
	list_each(w, &now, struct waiter, in)
	{
		w->done(w->arg, rc, e);
		free(w);
	}
}

int waiters_ended(const struct microvm *vm, struct err *e)
{
	return err_set(e, ERR_INVALID,
		       "The MicroVM %s has been terminated and its state cannot be changed.",
		       vm->id);
}

void waiters_notify_ended(const struct microvm *vm, struct list *waits)
{
	struct err e;

	waiters_ended(vm, &e);
	waiters_notify(waits, -1, &e);
}
