/* name.c - what a person types for a microVM or an image, and which one is meant. */

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define MICROVM_PREFIX "microvm-"

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

static char *name_choose(const json_t *items, const char *key, const char *given, const char *what,
			 struct err *e)
{
	size_t n = json_array_size(items), i;
	const char **all = xcalloc(n, sizeof(*all));
	const char *found;
	json_t *item;
	bool several;
	char *copy = NULL;

	json_array_foreach(items, i, item) all[i] = json_text(item, key);
	found = name_pick(all, n, given, &several);
	if (found)
		copy = xstrdup(found);
	else if (several)
		err_set(e, ERR_INVALID, "several %ss begin with '%s': type more of the name", what,
			given);
	else
		err_set(e, ERR_NOT_FOUND, "there is no %s '%s'; 'doze %s' lists them", what, given,
			strcmp(what, "image") ? "ls" : "image ls");
	free(all);
	return copy;
}

/* Those that are over are found by their whole name only. */
static json_t *name_alive(json_t *items)
{
	json_t *alive = json_array(), *item;
	size_t i;

	json_array_foreach(items, i, item) if (strcmp(json_text(item, "state"), "TERMINATED") != 0)
		json_array_append(alive, item);
	return alive;
}

char *name_microvm(struct client *c, const char *given, struct err *e)
{
	bool whole = strlen(given) == strlen(MICROVM_PREFIX) + 36;
	autofree char *full = xasprintf(
		"%s%s",
		strncmp(given, MICROVM_PREFIX, strlen(MICROVM_PREFIX)) ? MICROVM_PREFIX : "",
		given);
	json_t *items, *alive;
	char *id;

	if (whole && !strncmp(given, MICROVM_PREFIX, strlen(MICROVM_PREFIX)))
		return xstrdup(given);
	items = client_list(c, "/2025-09-09/microvms", e);
	if (!items)
		return NULL;
	alive = name_alive(items);
	id = name_choose(alive, "microvmId", full, "microVM", e);
	json_decref(alive);
	json_decref(items);
	return id;
}

char *name_image(struct client *c, const char *given, struct err *e)
{
	autofree char *name = NULL;
	json_t *items;

	if (!strncmp(given, "arn:", 4))
		return xstrdup(given);
	items = client_list(c, "/2025-09-09/microvm-images", e);
	if (!items)
		return NULL;
	name = name_choose(items, "name", given, "image", e);
	json_decref(items);
	return name ? xasprintf("arn:aws:lambda:%s:%s:microvm-image:%s", c->conf.region,
				c->conf.account, name)
		    : NULL;
}
