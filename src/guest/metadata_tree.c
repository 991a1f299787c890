#include "guest/metadata_tree.h"

#include <string.h>

struct tree_entry {
	const char *path;
	size_t path_size;
	const uint8_t *text;
	size_t text_size;
};

/* The next pair of path and text; false: there is none.  Fields of other kinds are skipped. */
static bool tree_next(const struct metadata_tree *t, size_t *at, struct tree_entry *entry)
{
	const struct agent_frame f = { .payload = t->fields, .size = t->size };
	struct agent_field_view v;

	entry->path = NULL;
	while (agent_field_next(&f, at, &v) == 1) {
		if (v.tag == FIELD_NAME) {
			entry->path = (const char *)v.data;
			entry->path_size = v.size;
		} else if (v.tag == FIELD_BYTES && entry->path) {
			entry->text = v.data;
			entry->text_size = v.size;
			return true;
		}
	}
	return false;
}

bool metadata_tree_put(struct metadata_tree *t, const struct agent_frame *f)
{
	struct agent_field_view v;
	size_t at = 0;
	int rc;

	explicit_bzero(t->fields, t->size);
	t->size = 0;
	while ((rc = agent_field_next(f, &at, &v)) == 1)
		;
	if (rc || f->size > sizeof(t->fields))
		return false;
	memcpy(t->fields, f->payload, f->size);
	t->size = f->size;
	return true;
}

/* What stands behind a folder's path and its slash; NULL: the entry is not in that folder. */
static const char *tree_below(const struct tree_entry *entry, const char *path, size_t size)
{
	if (!size)
		return entry->path;
	if (entry->path_size <= size + 1 || memcmp(entry->path, path, size) != 0 ||
	    entry->path[size] != '/')
		return NULL;
	return entry->path + size + 1;
}

/* The name of an entry in a folder, with the slash of a folder; 0: it is not there. */
static size_t tree_name(const struct tree_entry *entry, const char *path, const char **name)
{
	size_t left;
	const char *slash;

	*name = tree_below(entry, path, strlen(path));
	if (!*name)
		return 0;
	left = (size_t)(entry->path + entry->path_size - *name);
	slash = memchr(*name, '/', left);
	return slash ? (size_t)(slash + 1 - *name) : left;
}

static bool tree_named_before(const struct metadata_tree *t, const char *path, size_t end,
			      const char *name, size_t size)
{
	struct tree_entry entry;
	const char *other;
	size_t at = 0;

	while (at < end && tree_next(t, &at, &entry) && at < end)
		if (tree_name(&entry, path, &other) == size && !memcmp(other, name, size))
			return true;
	return false;
}

static bool tree_get_text(const struct metadata_tree *t, const char *path, struct buf *to)
{
	struct tree_entry entry;
	size_t at = 0;

	while (tree_next(t, &at, &entry))
		if (entry.path_size == strlen(path) && !memcmp(entry.path, path, entry.path_size)) {
			buf_add(to, entry.text, entry.text_size);
			return true;
		}
	return false;
}

bool metadata_tree_get(const struct metadata_tree *t, const char *path, struct buf *to)
{
	struct tree_entry entry;
	const char *name;
	bool any = false;
	size_t at = 0, size;

	if (tree_get_text(t, path, to))
		return true;
	while (tree_next(t, &at, &entry)) {
		size = tree_name(&entry, path, &name);
		if (!size || tree_named_before(t, path, at, name, size))
			continue;
		if (any)
			buf_add(to, "\n", 1);
		buf_add(to, name, size);
		any = true;
	}
	return any;
}
