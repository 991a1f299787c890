/* page.h - lists in pages, newest first (service.md 2.7).
 *
 * A cursor names the last item of the page before, whether or not it is still there; what has come
 * since is older than no page.  It is made by a key of ours for this account, this operation and
 * these filters, and is worth nothing elsewhere.
 *
 * A list is walked from page_first on in its order (base/order.h), so that a page costs what is in
 * it.  A short one may be shown as a whole instead, newest first. */
#ifndef CONTROL_API_PAGE_H
#define CONTROL_API_PAGE_H

#include "base/order.h"
#include "control/api/call.h"

#define CURSOR_ID 640 /* names of log groups and streams have 512 characters */

struct page {
	struct call *call;
	const char *name; /* of the list in the answer; "items" unless the caller says otherwise */
	int64_t max, n;
	bool begun, more;
	char after[CURSOR_ID], last[CURSOR_ID];
	int64_t after_at, last_at;
	json_t *items;
};

/* Reads how many and after which; false: the call has failed. */
bool page_begin(struct page *p, struct call *c) must_check;
/* Where the page begins; NULL: it is empty. */
struct order_node *page_first(struct page *p, const struct order *o, const char *group);
/* Likewise of a list that is shown from its beginning, or from the first id that is not before
 * @prefix on; the entries that follow come by order_next. */
struct order_node *page_from(struct page *p, const struct order *o, const char *group,
			     const char *prefix);
/* Show items one after the other until p->more: true if it is in the page.  @at and @id are those
 * of its order.  An item in the page may still be filtered out by the caller. */
bool page_takes(struct page *p, const char *id, int64_t at) must_check;
void page_add(struct page *p, json_t *item); /* taken over */
/* {"items": [...], "nextToken": ...}, or as the operation's family has it. */
void page_answer(struct page *p);
/* A cursor for this place, for lists that are walked otherwise; the caller's. */
char *page_cursor(struct page *p, const char *id, int64_t at);

#define page_each(n, p, o, group) \
	for (struct order_node *n = page_first(p, o, group); n && !(p)->more; n = order_prev(n))

/* From the end of a list to its beginning. */
#define list_each_back(it, head, type, m)                         \
	for (type *it = container_of((head)->prev, type, m),      \
		  *it##_next = container_of(it->m.prev, type, m); \
	     &it->m != (head); it = it##_next, it##_next = container_of(it->m.prev, type, m))

#endif
