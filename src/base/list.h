/* list.h - a doubly linked list whose links are a member of each item. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/base.h"

struct list {
	struct list *prev, *next;
};

#define LIST_INIT(l)       \
	{                  \
		&(l), &(l) \
	}

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

/* Appends @item. To insert it at the front, call list_add(head->next, item). */
static inline void list_add(struct list *head, struct list *item)
{
	item->prev = head->prev;
	item->next = head;
	head->prev->next = item;
	head->prev = item;
}

/* It is safe to call this on an initialised item that is in no list. */
static inline void list_del(struct list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	list_init(item);
}

/* Appends all that @from holds, which is empty then. */
static inline void list_take(struct list *head, struct list *from)
{
	while (!list_empty(from)) {
		struct list *item = from->next;

		list_del(item);
		list_add(head, item);
	}
}

#define list_first(head, type, m) \
	(list_empty(head) ? (type *)NULL : container_of((head)->next, type, m))

/* The body of the loop may take @it out of the list. */
#define list_each(it, head, type, m)                              \
	for (type *it = container_of((head)->next, type, m),      \
		  *it##_next = container_of(it->m.next, type, m); \
	     &it->m != (head); it = it##_next, it##_next = container_of(it->m.next, type, m))

#endif
