/* order.h - what a list shows, in order, through a member of what it holds.
 *
 * Entries stand by group, then by a number, then by id, so that the newest of a group, and what
 * precedes any place in it, is found without walking the rest.  It is a treap: a search tree whose
 * nodes draw a random weight, which keeps it balanced whoever chooses the keys.  What comes behind
 * all others, as nearly everything does, is not searched for.  A node that is all
 * zeros is in no order.  Texts are borrowed: they stay as they are until order_del. */
#ifndef BASE_ORDER_H
#define BASE_ORDER_H

#include "base/base.h"

struct order_node {
	struct order_node *up, *left, *right;
	const char *group, *id; /* borrowed */
	int64_t at;
	uint32_t weight;
	bool in; /* an order */
};

struct order {
	struct order_node *root, *last;
	uint64_t seed; /* of weights */
};

/* No other entry has the same group, number and id. */
void order_add(struct order *o, struct order_node *node, const char *group, int64_t at,
	       const char *id);
void order_del(struct order *o, struct order_node *node); /* does nothing if it is in none */

/* The last entry of a group, the last one before this place in it, whether or not an entry stands
 * there, and the one before an entry; NULL: none. */
struct order_node *order_last(const struct order *o, const char *group);
struct order_node *order_before(const struct order *o, const char *group, int64_t at,
				const char *id);
struct order_node *order_prev(const struct order_node *node);
/* The first entry of a group that does not stand before this place, and the one behind an entry. */
struct order_node *order_from(const struct order *o, const char *group, int64_t at, const char *id);
struct order_node *order_next(const struct order_node *node);

#endif
