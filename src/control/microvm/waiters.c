/* waiters.c - who waits for a step of a microVM. */

#include <stdlib.h>

#include "control/microvm/lifecycle_internal.h"

void life_wait(struct list *waits, life_done *done, void *arg)
{
	struct life_wait *w;

	if (!done)
		return;
	w = xcalloc(1, sizeof(*w));
	w->done = done;
	w->arg = arg;
	list_add(waits, &w->in);
}

void life_tell(struct list *waits, int rc, const struct err *e)
{
	struct list now;

	/* Who is told may wait again. */
	list_init(&now);
	list_each(w, waits, struct life_wait, in)
	{
		list_del(&w->in);
		list_add(&now, &w->in);
	}
	list_each(w, &now, struct life_wait, in)
	{
		w->done(w->arg, rc, e);
		free(w);
	}
}
