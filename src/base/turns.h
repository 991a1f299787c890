/* turns.h - a queue whose owners take turns: one that has many waiting delays another by one at a
 * time.  Those of one owner stay in the order in which they came. */
#ifndef BASE_TURNS_H
#define BASE_TURNS_H

#include "base/list.h"

/* It is embedded in whatever waits. */
struct turn {
	struct list in;
	const void *owner; /* its user's: compared, and no more; NULL is an owner too */
	uint64_t at;
};

struct turns {
	struct list waiting; /* of struct turn, the next one first */
	uint64_t at;         /* of the last that was served */
};

static inline void turns_init(struct turns *q)
{
	list_init(&q->waiting);
	q->at = 0;
}

void turns_add(struct turns *q, struct turn *t);
/* It is served.  It may stay in the queue while it is: nobody gets before it any more. */
void turns_serve(struct turns *q, const struct turn *t);

#endif
