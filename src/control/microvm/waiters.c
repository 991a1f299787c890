/* waiters.c - who waits for a step of a microVM. */

#include <stdlib.h>

#include "control/microvm/lifecycle_internal.h"

void waiters_add(struct list *waits, lifecycle_done *done, void *arg)
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

	/* Who is told may wait again. */
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
