#include "priv/enders.h"

#include <stdlib.h>

struct ender {
	struct list in;
	struct ask ask;
};

void enders_add(struct list *enders, const struct ask *a)
{
	struct ender *ender = xcalloc(1, sizeof(*ender));

	ender->ask = *a;
	list_add(enders, &ender->in);
}

void enders_done(struct priv *p, struct list *enders)
{
	list_each(ender, enders, struct ender, in)
	{
		list_del(&ender->in);
		priv_done(p, &ender->ask);
		free(ender);
	}
}
