#include "control/store/revisions.h"

#include <stdlib.h>
#include <string.h>

void revisions_init(struct revisions *r)
{
	hash_init(&r->known);
	list_init(&r->touched);
}

static void revision_free(struct revisions *r, struct revision *one)
{
	hash_del(&r->known, &one->in);
	list_del(&one->touched);
	free(one);
}

void revisions_free(struct revisions *r)
{
	hash_each(one, &r->known, struct revision, in) revision_free(r, one);
	hash_free(&r->known);
}

static struct revision *revisions_find(struct revisions *r, const char *path)
{
	size_t size = strlen(path);
	struct revision *one = hash_find(&r->known, path, size, struct revision, in);

	if (one)
		return one;
	one = xcalloc(1, sizeof(*one) + size + 1);
	memcpy(one->path, path, size);
	list_init(&one->touched);
	hash_add(&r->known, &one->in, one->path, size);
	return one;
}

void revisions_loaded(struct revisions *r, const char *path, int64_t revision)
{
	struct revision *one = revisions_find(r, path);

	one->durable = one->now = revision;
}

struct revision *revisions_touch(struct revisions *r, const char *path)
{
	struct revision *one = revisions_find(r, path);

	list_del(&one->touched);
	list_add(&r->touched, &one->touched);
	return one;
}

static void revisions_drop_below(struct revisions *r, const char *path)
{
	size_t size = strlen(path);

	hash_each(one, &r->known, struct revision, in)
	{
		if (!strncmp(one->path, path, size) && one->path[size] == '/')
			revision_free(r, one);
	}
}

void revisions_settle(struct revisions *r, bool took_place)
{
	while (!list_empty(&r->touched)) {
		struct revision *one = list_first(&r->touched, struct revision, touched);
		bool deleted = took_place && one->durable && !one->now;

		list_del(&one->touched);
		if (took_place)
			one->durable = one->now;
		else
			one->now = one->durable;
		if (deleted)
			revisions_drop_below(r, one->path);
		if (!one->now)
			revision_free(r, one);
	}
}
