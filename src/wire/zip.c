#include "wire/zip.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/limits.h"

#define ZIP_COMPONENT  255           /* NAME_MAX */
#define ZIP_RATIO_FROM (64ULL * MIB) /* small archives may be as dense as they like */

#define ZIP_LINK      4095 /* PATH_MAX without its NUL */
#define ZIP_OFFENDERS 8    /* that a refusal names */

struct zip_name {
	char *path;
	enum zip_kind kind;
	size_t at; /* its number in the archive */
};

struct zip_policy {
	struct zip_name *names; /* in the archive's order, sorted by zip_policy_end */
	size_t n, room;
	/* Since the end: the last of each name, sorted, its path borrowed; and which these are. */
	struct zip_name *kept;
	size_t n_kept;
	bool *keeps;
	uint64_t size, packed;
	struct buf wrong; /* "'x' is absolute; ..." */
	size_t n_wrong;
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
	free(p->kept);
	free(p->keeps);
	buf_free(&p->wrong);
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

static void zip_offends(struct zip_policy *p, const char *name, const char *why)
{
	if (p->n_wrong++ < ZIP_OFFENDERS)
		buf_addf(&p->wrong, "%s'%s' %s", p->n_wrong > 1 ? "; " : "", zip_show(name), why);
}

/* What is wrong with one part of a name; NULL: nothing. */
static const char *zip_part(const char *part, size_t n)
{
	if (n == 2 && !memcmp(part, "..", 2))
		return "leads out of the archive";
	if (n > ZIP_COMPONENT)
		return "has a part that is too long";
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)part[i] < ' ' || part[i] == 127)
			return "holds a control character";
	return NULL;
}

/* Clean a relative path of empty and "." parts.  @to has room for LIMIT_ZIP_NAME bytes.  Returns
 * what is wrong with it, or NULL. */
static const char *zip_clean(const char *name, char *to)
{
	size_t out = 0;
	int depth = 0;

	to[0] = '\0';
	if (*name == '/')
		return "is absolute";
	while (*name) {
		size_t n = strcspn(name, "/");
		const char *why = zip_part(name, n);

		if (n && !(n == 1 && *name == '.')) {
			if (!why && ++depth > LIMIT_ZIP_DEPTH)
				why = "has too many parts";
			if (why)
				return why;
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
	return NULL;
}

static const char *zip_kind_of(const struct zip_entry *z, enum zip_kind *kind)
{
	size_t n = strlen(z->name);
	bool slash = n && strchr(z->dos ? "/\\" : "/", z->name[n - 1]);

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
		return "is neither a file nor a directory nor a link";
	}
	if (*kind == ZIP_KIND_DIR && z->size)
		return "is a directory with data";
	if (*kind == ZIP_KIND_LINK && (!z->size || z->size > ZIP_LINK || slash))
		return "is a malformed link";
	return NULL;
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

/* Tools of Windows that join the parts of a name by backslashes use no slashes then. */
static void zip_take_name(const struct zip_entry *z, char name[LIMIT_ZIP_NAME + 1])
{
	bool backslashes = z->dos && !strchr(z->name, '/');

	memcpy(name, z->name, strlen(z->name) + 1);
	for (; backslashes && *name; name++)
		*name = *name == '\\' ? '/' : *name;
}

int zip_policy_add(struct zip_policy *p, const struct zip_entry *z, struct zip_plan *plan,
		   struct err *e)
{
	char name[LIMIT_ZIP_NAME + 1] = "", path[LIMIT_ZIP_NAME + 1] = "";
	enum zip_kind kind = ZIP_KIND_FILE;
	const char *why = "has a name that is too long";

	p->code = ZIP_CODE_INVALID;
	if (zip_count(p, z, e))
		return -1;
	if (strlen(z->name) <= LIMIT_ZIP_NAME) {
		zip_take_name(z, name);
		why = zip_clean(name, path);
		if (!why)
			why = zip_kind_of(z, &kind);
		if (!why && !*path && kind != ZIP_KIND_DIR)
			why = "is an entry without a name";
	}
	if (why)
		zip_offends(p, z->name, why);
	if (p->n == p->room) {
		p->room = p->room ? 2 * p->room : 64;
		p->names = xrealloc(p->names, p->room * sizeof(*p->names));
	}
	p->names[p->n] = (struct zip_name){ xstrdup(path), kind, p->n };
	*plan = (struct zip_plan){ p->names[p->n].path, kind, zip_mode_of(z, kind) };
	p->n++;
	return 0;
}

int zip_policy_link(const char *path, const char *target, struct err *e)
{
	if (*target && strlen(target) <= ZIP_LINK)
		return 0;
	return err_set(e, ERR_INVALID, "The archive's link '%s' leads nowhere.", zip_show(path));
}

static int zip_name_order(const void *a, const void *b)
{
	const struct zip_name *x = a, *y = b;
	int order = strcmp(x->path, y->path);

	return order ? order : x->at < y->at ? -1 : x->at > y->at;
}

static int zip_path_order(const void *a, const void *b)
{
	const struct zip_name *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static const struct zip_name *zip_find(const struct zip_policy *p, const char *path)
{
	struct zip_name key = { 0 };

	/* bsearch does not write through this pointer. */
	memcpy(&key.path, &path, sizeof(path));
	return bsearch(&key, p->kept, p->n_kept, sizeof(*p->kept), zip_path_order);
}

/* Of entries with one name the last is kept, as other tools do. */
static void zip_drop_repeated(struct zip_policy *p)
{
	p->keeps = xcalloc(p->n + 1, sizeof(*p->keeps));
	p->kept = xcalloc(p->n + 1, sizeof(*p->kept));
	if (p->n)
		qsort(p->names, p->n, sizeof(*p->names), zip_name_order);
	for (size_t i = 0; i < p->n; i++) {
		const struct zip_name *a = &p->names[i];

		if (i + 1 < p->n && !strcmp(a->path, a[1].path))
			continue;
		p->keeps[a->at] = true;
		p->kept[p->n_kept++] = *a;
	}
}

/* None may lie below a file or a link. */
static void zip_check_tree(struct zip_policy *p)
{
	for (size_t i = 0; i < p->n_kept; i++) {
		const struct zip_name *a = &p->kept[i];
		char parent[LIMIT_ZIP_NAME + 1];

		memcpy(parent, a->path, strlen(a->path) + 1);
		for (char *cut; (cut = strrchr(parent, '/'));) {
			const struct zip_name *above;

			*cut = '\0';
			above = zip_find(p, parent);
			if (above && above->kind != ZIP_KIND_DIR)
				zip_offends(p, parent, "is no directory, but has entries below it");
		}
	}
}

static int zip_refuse(const struct zip_policy *p, struct err *e)
{
	autofree char *more = p->n_wrong > ZIP_OFFENDERS
				      ? xasprintf("; and %zu more", p->n_wrong - ZIP_OFFENDERS)
				      : xstrdup("");

	return err_set(e, ERR_INVALID, "The archive is refused: %.*s%s.", (int)p->wrong.size,
		       (const char *)p->wrong.data, more);
}

int zip_policy_end(struct zip_policy *p, struct err *e)
{
	const struct zip_name *dockerfile;

	p->code = ZIP_CODE_INVALID;
	if (p->size > ZIP_RATIO_FROM && p->size / LIMIT_ZIP_RATIO > p->packed)
		return err_set(e, ERR_INVALID,
			       "The archive unpacks to more than %d times its size.",
			       LIMIT_ZIP_RATIO);
	zip_drop_repeated(p);
	zip_check_tree(p);
	if (p->n_wrong)
		return zip_refuse(p, e);
	dockerfile = zip_find(p, "Dockerfile");
	if (!dockerfile || dockerfile->kind != ZIP_KIND_FILE) {
		p->code = ZIP_CODE_NO_DOCKERFILE;
		return err_set(e, ERR_INVALID,
			       "The archive holds no file named Dockerfile at its root.");
	}
	return 0;
}

bool zip_policy_keeps(const struct zip_policy *p, size_t i)
{
	return p->keeps[i];
}
