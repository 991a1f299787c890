#include "priv/cgroup_discover.h"

#include <stdlib.h>
#include <string.h>

const char *const cg_tree_name[CG_NUM_TREES] = {
	[CG_MEMORY] = "memory",   [CG_CPU] = "cpu",    [CG_PIDS] = "pids",
	[CG_FREEZER] = "freezer", [CG_UNIFIED] = "v2",
};

bool cg_has_word(const char *text, const char *word, const char *separators)
{
	size_t len = strlen(word);

	while (*text) {
		size_t n = strcspn(text, separators);

		if (n == len && !memcmp(text, word, len))
			return true;
		text += n;
		text += strspn(text, separators);
	}
	return false;
}

/* Finds the path of @tree in lines such as "4:memory:/a/b" and "0::/a/b". The caller owns it; NULL
 * if there is none. */
static char *cg_own_path(const char *self, enum cg_tree tree)
{
	autofree char *copy = xstrdup(self);
	char *lines = copy, *line;

	while ((line = strsep(&lines, "\n"))) {
		char *id = strsep(&line, ":"), *controllers = strsep(&line, ":");

		if (!controllers || !line || *line != '/')
			continue;
		if (tree == CG_UNIFIED ? !strcmp(id, "0") && !*controllers
				       : cg_has_word(controllers, cg_tree_name[tree], ","))
			return xstrdup(line);
	}
	return NULL;
}

static bool cg_ends_with(const char *text, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len >= n && !memcmp(text + len - n, end, n);
}

static bool cg_is_systemd(const char *path)
{
	size_t len = strcspn(path + 1, "/");

	return cg_ends_with(path + 1, len, ".slice") || cg_ends_with(path + 1, len, ".scope") ||
	       cg_ends_with(path + 1, len, ".service");
}

/* A line reads: id parent major:minor root mountpoint options [tag ...] - type source options */
struct cg_mount {
	char *root, *point, *type, *options;
};

static bool cg_mount_parse(char *line, struct cg_mount *m)
{
	char *words[64];
	size_t n = 0, dash = 0;
	char *word;

	while ((word = strsep(&line, " ")) && n < ARRAY_SIZE(words)) {
		if (!dash && n > 5 && !strcmp(word, "-"))
			dash = n;
		words[n++] = word;
	}
	if (!dash || n < dash + 4)
		return false;
	*m = (struct cg_mount){ words[3], words[4], words[dash + 1], words[dash + 3] };
	return true;
}

static char *cg_place(const struct cg_mount *m, const char *self, enum cg_tree tree)
{
	autofree char *own = cg_own_path(self, tree);
	size_t root = strcmp(m->root, "/") != 0 ? strlen(m->root) : 0;
	const char *below;

	if (!own)
		return NULL;
	below = strncmp(own, m->root, root) != 0 ? "" : own + root;
	if (!strcmp(below, "/") || (*below && cg_is_systemd(below)))
		below = "";
	return xasprintf("%s%s", m->point, below);
}

static bool cg_mount_is(const struct cg_mount *m, enum cg_tree tree)
{
	if (tree == CG_UNIFIED)
		return !strcmp(m->type, "cgroup2");
	return !strcmp(m->type, "cgroup") && cg_has_word(m->options, cg_tree_name[tree], ",");
}

void cg_places_find(struct cg_places *p, const char *mountinfo, const char *self)
{
	autofree char *copy = xstrdup(mountinfo);
	char *lines = copy, *line;

	*p = (struct cg_places){ 0 };
	while ((line = strsep(&lines, "\n"))) {
		struct cg_mount m;

		if (!cg_mount_parse(line, &m))
			continue;
		for (enum cg_tree t = 0; t < CG_NUM_TREES; t++)
			if (!p->dir[t] && cg_mount_is(&m, t))
				p->dir[t] = cg_place(&m, self, t);
	}
}

void cg_places_free(struct cg_places *p)
{
	for (enum cg_tree t = 0; t < CG_NUM_TREES; t++)
		free(p->dir[t]);
	*p = (struct cg_places){ 0 };
}
