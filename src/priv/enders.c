#include "priv/enders.h"

#include <stdlib.h>

struct ender {
	struct list in;
	struct request request;
};

void enders_add(struct list *enders, const struct request *a)
{
	struct ender *ender = xcalloc(1, sizeof(*ender));

	ender->request = *a;
	list_add(enders, &ender->in);
}

void enders_done(struct priv *p, struct list *enders)
{
	list_each(ender, enders, struct ender, in)
	{
		list_del(&ender->in);
		priv_done(p, &ender->request);
		free(ender);
	}
}
