#include "base/order.h"

#include <string.h>

#include "base/rand.h"

static int order_compare(const struct order_node *n, const char *group, int64_t at, const char *id)
{
	int by = strcmp(n->group, group);

	if (by)
		return by;
	if (n->at != at)
		return n->at < at ? -1 : 1;
	return strcmp(n->id, id);
}

static struct order_node **order_link(struct order *o, struct order_node *n)
{
	if (!n->up)
		return &o->root;
	return n->up->left == n ? &n->up->left : &n->up->right;
}

/* Lifts a node above its parent. */
static void order_rotate(struct order *o, struct order_node *n)
{
	struct order_node *up = n->up, *inner;

	*order_link(o, up) = n;
	n->up = up->up;
	up->up = n;
	if (up->left == n) {
		inner = n->right;
		n->right = up;
		up->left = inner;
	} else {
		inner = n->left;
		n->left = up;
		up->right = inner;
	}
	if (inner)
		inner->up = up;
}

/* The seed is the kernel's; a call of it for each node would cost more than all the rest. */
static uint32_t order_weight(struct order *o)
{
	if (!o->seed)
		rand_bytes(&o->seed, sizeof(o->seed));
	o->seed = o->seed * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)(o->seed >> 32);
}

static struct order_node *order_end(const struct order *o)
{
	struct order_node *n = o->root;

	while (n && n->right)
		n = n->right;
	return n;
}

void order_add(struct order *o, struct order_node *node, const char *group, int64_t at,
	       const char *id)
{
	struct order_node **link = &o->root, *up = NULL;
	bool is_last = !o->last || order_compare(o->last, group, at, id) < 0;

	*node = (struct order_node){ .group = group, .id = id, .at = at, .in = true };
	node->weight = order_weight(o);
	if (is_last && o->last) {
		up = o->last;
		link = &up->right;
	}
	while (*link) {
		up = *link;
		link = order_compare(up, group, at, id) < 0 ? &up->right : &up->left;
	}
	*link = node;
	node->up = up;
	if (is_last)
		o->last = node;
	while (node->up && node->up->weight < node->weight)
		order_rotate(o, node);
}

void order_del(struct order *o, struct order_node *node)
{
	struct order_node *child;

	if (!node->in)
		return;
	while (node->left && node->right)
		order_rotate(o,
			     node->left->weight > node->right->weight ? node->left : node->right);
	child = node->left ? node->left : node->right;
	*order_link(o, node) = child;
	if (child)
		child->up = node->up;
	if (o->last == node)
		o->last = order_end(o);
	*node = (struct order_node){ 0 };
}

struct order_node *order_before(const struct order *o, const char *group, int64_t at,
				const char *id)
{
	struct order_node *n = o->root, *found = NULL;

	while (n) {
		if (order_compare(n, group, at, id) < 0) {
			found = n;
			n = n->right;
		} else {
			n = n->left;
		}
	}
	return found && !strcmp(found->group, group) ? found : NULL;
}

struct order_node *order_last(const struct order *o, const char *group)
{
	struct order_node *n = o->root, *found = NULL;

	while (n) {
		if (strcmp(n->group, group) <= 0) {
			found = n;
			n = n->right;
		} else {
			n = n->left;
		}
	}
	return found && !strcmp(found->group, group) ? found : NULL;
}

struct order_node *order_prev(const struct order_node *node)
{
	const char *group = node->group;
	struct order_node *n = node->left;

	if (n) {
		while (n->right)
			n = n->right;
	} else {
		n = node->up;
		while (n && n->left == node) {
			node = n;
			n = n->up;
		}
	}
	return n && !strcmp(n->group, group) ? n : NULL;
}

struct order_node *order_from(const struct order *o, const char *group, int64_t at, const char *id)
{
	struct order_node *n = o->root, *found = NULL;

	while (n) {
		if (order_compare(n, group, at, id) < 0) {
			n = n->right;
		} else {
			found = n;
			n = n->left;
		}
	}
	return found && !strcmp(found->group, group) ? found : NULL;
}

struct order_node *order_next(const struct order_node *node)
{
	const char *group = node->group;
	struct order_node *n = node->right;

	if (n) {
		while (n->left)
			n = n->left;
	} else {
		n = node->up;
		while (n && n->right == node) {
			node = n;
			n = n->up;
		}
	}
	return n && !strcmp(n->group, group) ? n : NULL;
}
