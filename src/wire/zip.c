#include "wire/zip.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/limits.h"

#define ZIP_COMPONENT  255           /* NAME_MAX */
#define ZIP_RATIO_FROM (64ULL * MIB) /* small archives may be as dense as they like */

struct zip_name {
	char *path;
	enum zip_kind kind;
};

struct zip_policy {
	struct zip_name *names;
	size_t n, room;
	uint64_t size, packed;
	const char *code;
};

struct zip_policy *zip_policy_new(void)
{
	struct zip_policy *p = xcalloc(1, sizeof(*p));

	p->code = ZIP_CODE_INVALID;
	return p;
}

void zip_policy_free(struct zip_policy *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		free(p->names[i].path);
	free(p->names);
	free(p);
}

const char *zip_policy_code(const struct zip_policy *p)
{
	return p->code;
}

/* Names appear in messages, so only their printable ASCII is shown, and not too much of it. */
static const char *zip_show(const char *name)
{
	static char shown[96];
	size_t n = 0;

	for (; *name && n < sizeof(shown) - 1; name++, n++)
		shown[n] = (*name >= ' ' && *name < 127) ? *name : '?';
	shown[n] = '\0';
	return shown;
}

/* Clean a relative path of empty and "." parts.  @to has room for the whole name. */
static int zip_clean(const char *name, char *to, struct err *e)
{
	const char *why = NULL;
	size_t out = 0;
	int depth = 0;

	if (*name == '/')
		why = "is absolute";
	else if (strlen(name) > LIMIT_ZIP_NAME)
		why = "is too long";
	while (!why && *name) {
		size_t n = strcspn(name, "/");

		if (n == 2 && !memcmp(name, "..", 2))
			why = "leads out of the archive";
		else if (n > ZIP_COMPONENT)
			why = "has a part that is too long";
		for (size_t i = 0; !why && i < n; i++)
			if ((unsigned char)name[i] < ' ' || name[i] == 127)
				why = "holds a control character";
		if (n && !(n == 1 && *name == '.') && ++depth > LIMIT_ZIP_DEPTH)
			why = "has too many parts";
		if (why)
			break;
		if (n && !(n == 1 && *name == '.')) {
			if (out)
				to[out++] = '/';
			memcpy(to + out, name, n);
			out += n;
		}
		name += n;
		if (*name)
			name++;
	}
	to[out] = '\0';
	return why ? err_set(e, ERR_INVALID, "The archive holds an entry whose name %s.", why) : 0;
}

static int zip_kind_of(const struct zip_entry *z, enum zip_kind *kind, struct err *e)
{
	size_t n = strlen(z->name);
	bool slash = n && z->name[n - 1] == '/';

	switch (z->unix_mode & S_IFMT) {
	case S_IFLNK:
		*kind = ZIP_KIND_LINK;
		break;
	case S_IFDIR:
		*kind = ZIP_KIND_DIR;
		break;
	case S_IFREG:
	case 0:
		*kind = slash ? ZIP_KIND_DIR : ZIP_KIND_FILE;
		break;
	default:
		return err_set(e, ERR_INVALID,
			       "The archive entry '%s' is neither a file nor a directory nor a "
			       "link.",
			       zip_show(z->name));
	}
	if (*kind == ZIP_KIND_DIR && z->size)
		return err_set(e, ERR_INVALID, "The archive entry '%s' is a directory with data.",
			       zip_show(z->name));
	if (*kind == ZIP_KIND_LINK && (!z->size || z->size > LIMIT_ZIP_NAME || slash))
		return err_set(e, ERR_INVALID, "The archive entry '%s' is a malformed link.",
			       zip_show(z->name));
	return 0;
}

/* Tools such as `git archive` give no mode, or zero, for an ordinary file (service.md 9.1). */
static uint32_t zip_mode_of(const struct zip_entry *z, enum zip_kind kind)
{
	uint32_t mode = z->unix_mode & 0777;

	if (kind == ZIP_KIND_DIR)
		return mode ? mode | 0700 : 0755;
	return mode ? mode | 0400 : 0644;
}

static int zip_count(struct zip_policy *p, const struct zip_entry *z, struct err *e)
{
	if (p->n >= LIMIT_ZIP_ENTRIES)
		return err_set(e, ERR_INVALID, "The archive holds more than %d entries.",
			       LIMIT_ZIP_ENTRIES);
	if (z->size > LIMIT_ZIP_UNPACKED || p->size > LIMIT_ZIP_UNPACKED - z->size)
		return err_set(e, ERR_INVALID, "The archive unpacks to more than %llu GiB.",
			       LIMIT_ZIP_UNPACKED / GIB);
	p->size += z->size;
	p->packed += z->packed < LIMIT_ZIP_SIZE ? z->packed : LIMIT_ZIP_SIZE;
	return 0;
}

int zip_policy_add(struct zip_policy *p, const struct zip_entry *z, struct zip_plan *plan,
		   struct err *e)
{
	char path[LIMIT_ZIP_NAME + 1];
	enum zip_kind kind = ZIP_KIND_FILE;

	p->code = ZIP_CODE_INVALID;
	if (zip_clean(z->name, path, e) || zip_kind_of(z, &kind, e) || zip_count(p, z, e))
		return -1;
	if (!*path && kind != ZIP_KIND_DIR)
		return err_set(e, ERR_INVALID, "The archive holds an entry without a name.");
	if (p->n == p->room) {
		p->room = p->room ? 2 * p->room : 64;
		p->names = xrealloc(p->names, p->room * sizeof(*p->names));
	}
	p->names[p->n] = (struct zip_name){ xstrdup(path), kind };
	*plan = (struct zip_plan){ p->names[p->n].path, kind, zip_mode_of(z, kind) };
	p->n++;
	return 0;
}

/* Only leading ".." parts are allowed.  No name passes through a link, so they can be counted from
 * the link's own directory, and the rest of the target only goes down. */
int zip_policy_link(const char *path, const char *target, struct err *e)
{
	size_t depth = 0;
	bool down = false;

	for (const char *s = path; *s; s++)
		depth += *s == '/';
	if (!*target || *target == '/' || strlen(target) > LIMIT_ZIP_NAME)
		return err_set(e, ERR_INVALID, "The archive's link '%s' does not lead inside it.",
			       zip_show(path));
	for (const char *s = target; *s;) {
		size_t n = strcspn(s, "/");

		if (n == 2 && !memcmp(s, "..", 2)) {
			if (down || !depth)
				return err_set(e, ERR_INVALID,
					       "The archive's link '%s' leads out of it.",
					       zip_show(path));
			depth--;
		} else if (n && !(n == 1 && *s == '.')) {
			down = true;
		}
		s += n;
		if (*s)
			s++;
	}
	return 0;
}

static int zip_name_order(const void *a, const void *b)
{
	const struct zip_name *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static const struct zip_name *zip_find(const struct zip_policy *p, const char *path)
{
	struct zip_name key = { 0 };

	/* bsearch does not write through this pointer. */
	memcpy(&key.path, &path, sizeof(path));
	return bsearch(&key, p->names, p->n, sizeof(*p->names), zip_name_order);
}

/* No name may appear twice, directories apart, and none may lie below a file or a link. */
static int zip_check_tree(const struct zip_policy *p, struct err *e)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct zip_name *a = &p->names[i];
		char parent[LIMIT_ZIP_NAME + 1];

		if (i && !strcmp(a->path, a[-1].path) &&
		    (a->kind != ZIP_KIND_DIR || a[-1].kind != ZIP_KIND_DIR))
			return err_set(e, ERR_INVALID, "The archive holds '%s' more than once.",
				       zip_show(a->path));
		memcpy(parent, a->path, strlen(a->path) + 1);
		for (char *cut; (cut = strrchr(parent, '/'));) {
			const struct zip_name *above;

			*cut = '\0';
			above = zip_find(p, parent);
			if (above && above->kind != ZIP_KIND_DIR)
				return err_set(e, ERR_INVALID,
					       "The archive holds '%s', which is no directory, and "
					       "entries below it.",
					       zip_show(parent));
		}
	}
	return 0;
}

int zip_policy_end(struct zip_policy *p, struct err *e)
{
	const struct zip_name *dockerfile;

	p->code = ZIP_CODE_INVALID;
	if (p->size > ZIP_RATIO_FROM && p->size / LIMIT_ZIP_RATIO > p->packed)
		return err_set(e, ERR_INVALID,
			       "The archive unpacks to more than %d times its size.",
			       LIMIT_ZIP_RATIO);
	if (p->n)
		qsort(p->names, p->n, sizeof(*p->names), zip_name_order);
	if (zip_check_tree(p, e))
		return -1;
	dockerfile = p->n ? zip_find(p, "Dockerfile") : NULL;
	if (!dockerfile || dockerfile->kind != ZIP_KIND_FILE) {
		p->code = ZIP_CODE_NO_DOCKERFILE;
		return err_set(e, ERR_INVALID,
			       "The archive holds no file named Dockerfile at its root.");
	}
	return 0;
}
