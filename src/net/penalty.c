#include "net/penalty.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE_MS 60000

struct penalty {
	struct hash_node by_address;
	struct list in_order;
	uint8_t address[8];
	int64_t spent; /* of the budget, in failures times MINUTE_MS */
	int64_t at_ms; /* when that was so */
};

struct penalties {
	struct hash by_address;
	struct list in_order; /* whose last failure is the oldest comes first */
	int64_t per_minute;
};

struct penalties *penalties_new(void)
{
	struct penalties *all = xcalloc(1, sizeof(*all));

	hash_init(&all->by_address);
	list_init(&all->in_order);
	return all;
}

void penalties_limit(struct penalties *all, int64_t per_minute)
{
	all->per_minute = per_minute;
}

static void penalty_forgive(struct penalties *all, struct penalty *p)
{
	hash_del(&all->by_address, &p->by_address);
	list_del(&p->in_order);
	free(p);
}

static void penalty_forgive_oldest(struct penalties *all)
{
	list_each(p, &all->in_order, struct penalty, in_order)
	{
		penalty_forgive(all, p);
		return;
	}
}

void penalties_free(struct penalties *all)
{
	list_each(p, &all->in_order, struct penalty, in_order) penalty_forgive(all, p);
	hash_free(&all->by_address);
	free(all);
}

static bool penalty_is_local(const struct quota_source *s)
{
	static const uint8_t four[4] = { 127, 0, 0, 1 }, six[8];

	return !memcmp(s->address, s->address_size == 4 ? four : six, s->address_size);
}

static struct penalty *penalty_find(struct penalties *all, const struct quota_source *from)
{
	return hash_find(&all->by_address, from->address, from->address_size, struct penalty,
			 by_address);
}

/* What has come back since then. */
static void penalty_recover(const struct penalties *all, struct penalty *p, int64_t now_ms)
{
	int64_t back = (now_ms - p->at_ms) * all->per_minute;

	p->spent = p->spent > back ? p->spent - back : 0;
	p->at_ms = now_ms;
}

static struct penalty *penalty_new(struct penalties *all, const struct quota_source *from,
				   int64_t now_ms)
{
	struct penalty *p = xcalloc(1, sizeof(*p));

	memcpy(p->address, from->address, sizeof(p->address));
	p->at_ms = now_ms;
	hash_add(&all->by_address, &p->by_address, p->address, from->address_size);
	return p;
}

void penalty_add(struct penalties *all, const struct quota_source *from, int64_t now_ms)
{
	struct penalty *p;

	if (!all->per_minute || penalty_is_local(from))
		return;
	p = penalty_find(all, from);
	if (p)
		list_del(&p->in_order);
	else
		p = penalty_new(all, from, now_ms);
	list_add(&all->in_order, &p->in_order);
	if (all->by_address.n > PENALTY_ADDRESSES)
		penalty_forgive_oldest(all);
	penalty_recover(all, p, now_ms);
	if (p->spent < all->per_minute * MINUTE_MS)
		p->spent += MINUTE_MS;
}

bool penalty_is_due(struct penalties *all, const struct quota_source *from, int64_t now_ms)
{
	struct penalty *p = all->per_minute ? penalty_find(all, from) : NULL;

	if (!p)
		return false;
	penalty_recover(all, p, now_ms);
	if (!p->spent) {
		penalty_forgive(all, p);
		return false;
	}
	return p->spent > (all->per_minute - 1) * MINUTE_MS;
}
