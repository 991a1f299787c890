/* page.h - lists in pages, newest first (service.md 2.7).
 *
 * A cursor names the last item of the page before.  If that item is gone by now,
 * the page begins with the next older one. */
#ifndef CONTROL_API_PAGE_H
#define CONTROL_API_PAGE_H

#include "control/api/call.h"

#define CURSOR_ID 128

struct page {
	struct call *call;
	int64_t max, n;
	bool begun, more;
	char after[CURSOR_ID], last[CURSOR_ID];
	int64_t after_ms, last_ms;
	json_t *items;
};

/* Reads maxResults and nextToken; false: the call has failed. */
bool page_begin(struct page *p, struct call *c) must_check;
/* Show every item, newest first: true if it is in the page.  An item in the page may still be
 * filtered out by the caller. */
bool page_takes(struct page *p, const char *id, int64_t created_ms) must_check;
void page_add(struct page *p, json_t *item); /* taken over */
void page_answer(struct page *p);            /* {"items": [...], "nextToken": ...} */

/* From the end of a list to its beginning. */
#define list_each_back(it, head, type, m)                         \
	for (type *it = container_of((head)->prev, type, m),      \
		  *it##_next = container_of(it->m.prev, type, m); \
	     &it->m != (head); it = it##_next, it##_next = container_of(it->m.prev, type, m))

#endif
