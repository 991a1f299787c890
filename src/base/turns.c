#include "base/turns.h"

void turns_add(struct turns *q, struct turn *t)
{
	struct list *behind = &q->waiting;

	t->at = q->at;
	list_each(other, &q->waiting, struct turn, in)
	{
		if (other->owner == t->owner && other->at >= q->at)
			t->at = other->at + 1;
	}
	list_each(other, &q->waiting, struct turn, in)
	{
		if (other->at <= t->at)
			continue;
		behind = &other->in;
		break;
	}
	list_add(behind, &t->in);
}

void turns_serve(struct turns *q, const struct turn *t)
{
	if (t->at > q->at)
		q->at = t->at;
}
