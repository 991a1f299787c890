/* name.c - finds the microVM or image that was meant. */

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/suggest.h"

#define MICROVM_PREFIX "microvm-"
#define NAME_MAX_SIZE  64

bool name_image_valid(const char *name)
{
	size_t size = strlen(name);

	return size && size <= NAME_MAX_SIZE &&
	       !name[strspn(name,
			    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")];
}

const char *name_pick(const char *const *all, size_t n, const char *given, bool *several)
{
	const char *found = NULL;

	*several = false;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(all[i], given))
			return all[i];
	for (size_t i = 0; i < n; i++) {
		if (strncmp(all[i], given, strlen(given)) != 0)
			continue;
		if (found)
			*several = true;
		found = all[i];
	}
	return *several ? NULL : found;
}

struct name_kind {
	const char *key;  /* of the name in an item */
	const char *what; /* "image" */
	const char *list; /* the command that lists them */
};

bool name_given(const char *given)
{
	return *given && strcmp(given, MICROVM_PREFIX) != 0;
}

/* @whole is what was typed, completed by the prefix that people leave out. */
static char *name_choose(const struct client *c, const json_t *items, const struct name_kind *kind,
			 const char *given, const char *whole, struct err *e)
{
	size_t n = json_array_size(items), i;
	const char **all = xcalloc(n, sizeof(*all));
	const char *found;
	autofree char *list = command_text(&c->conf, kind->list);
	json_t *item;
	bool several;
	char *copy = NULL;

	if (!name_given(given)) { /* every name begins so: an unset variable must name none */
		err_set(e, ERR_INVALID, "no %s is named; '%s' lists them", kind->what, list);
		free(all);
		return NULL;
	}
	json_array_foreach(items, i, item) all[i] = json_text(item, kind->key);
	found = name_pick(all, n, whole, &several);
	if (found)
		copy = xstrdup(found);
	else if (several)
		err_set(e, ERR_INVALID, "several %ss start with '%s'; '%s' lists them: type more",
			kind->what, given, list);
	else
		err_set(e, ERR_NOT_FOUND, "there is no %s '%s'; '%s' lists them", kind->what, given,
			list);
	free(all);
	return copy;
}

json_t *microvms_live(const json_t *items)
{
	json_t *live = json_array(), *item;
	size_t i;

	json_array_foreach(items, i, item) if (strcmp(json_text(item, "state"), "TERMINATED") != 0)
		json_array_append(live, item);
	return live;
}

char *name_microvm(struct client *c, const char *given, struct err *e)
{
	static const struct name_kind kind = { "microvmId", "microVM", "ls" };
	bool whole = strlen(given) == strlen(MICROVM_PREFIX) + 36;
	autofree char *full = xasprintf(
		"%s%s",
		strncmp(given, MICROVM_PREFIX, strlen(MICROVM_PREFIX)) ? MICROVM_PREFIX : "",
		given);
	json_t *items, *live;
	char *id;

	if (whole && !strncmp(given, MICROVM_PREFIX, strlen(MICROVM_PREFIX)))
		return xstrdup(given);
	items = client_list(c, "/2025-09-09/microvms", e);
	if (!items)
		return NULL;
	/* One that has ended is found by its whole id only. */
	live = microvms_live(items);
	id = name_choose(c, live, &kind, given, full, e);
	json_decref(live);
	json_decref(items);
	return id;
}

char *name_image(struct client *c, const char *given, struct err *e)
{
	static const struct name_kind kind = { "name", "image", "image ls" };
	autofree char *name = NULL;
	json_t *items;

	if (!strncmp(given, "arn:", 4))
		return xstrdup(given);
	items = client_list(c, "/2025-09-09/microvm-images", e);
	if (!items)
		return NULL;
	name = name_choose(c, items, &kind, given, given, e);
	json_decref(items);
	return name ? xasprintf("arn:aws:lambda:%s:%s:microvm-image:%s", c->conf.region,
				c->conf.account, name)
		    : NULL;
}
