/* tls_names.c - several certificates behind one listener: the client's SNI chooses. */

#include <stdlib.h>
#include <string.h>

#include "net/tls_parts.h"

struct tls_name {
	struct list in;
	char *domain;
	size_t length;
	struct tls *tls; /* owned */
};

void tls_names_init(struct tls *t)
{
	list_init(&t->names);
}

void tls_names_free(struct tls *t)
{
	list_each(n, &t->names, struct tls_name, in)
	{
		tls_free(n->tls);
		free(n->domain);
		free(n);
	}
}

/* The longest domain comes first, so that it is found first. */
void tls_add_name(struct tls *t, const char *domain, struct tls *other)
{
	struct tls_name *n = xcalloc(1, sizeof(*n));
	struct list *at = t->names.next;

	n->domain = xstrdup(domain);
	n->length = strlen(domain);
	n->tls = other;
	while (at != &t->names && container_of(at, struct tls_name, in)->length >= n->length)
		at = at->next;
	list_add(at, &n->in);
}

struct tls *tls_names_find(struct tls *t, const char *name)
{
	size_t length = strlen(name);

	list_each(n, &t->names, struct tls_name, in)
	{
		size_t before = length - n->length;

		if (n->length <= length && !strcmp(name + before, n->domain) &&
		    (!before || name[before - 1] == '.'))
			return n->tls;
	}
	return t;
}
