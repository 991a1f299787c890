/* copy_keep.c - what a copy of a file keeps beside its bytes: extended attributes, such as its
 * capabilities, and that several names are one file. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "image/copy.h"

#define KEEP_BUCKETS 4096

/* A file with more names than one, and the first name of its copy. */
struct copy_name {
	struct copy_name *next;
	dev_t dev;
	ino_t ino;
	ino_t made; /* the copy, unless something else has its name by now */
	char *path;
};

static struct copy_name *copy_names[KEEP_BUCKETS];

static struct copy_name **copy_bucket(const struct stat *st)
{
	return &copy_names[(st->st_ino ^ st->st_dev) % KEEP_BUCKETS];
}

bool copy_link_again(const struct stat *st, const char *to)
{
	struct stat made;

	if (st->st_nlink < 2)
		return false;
	for (struct copy_name *n = *copy_bucket(st); n; n = n->next)
		if (n->ino == st->st_ino && n->dev == st->st_dev && !lstat(n->path, &made) &&
		    made.st_ino == n->made)
			return !link(n->path, to);
	return false;
}

void copy_remember(const struct stat *st, const char *to)
{
	struct copy_name *n, **first = copy_bucket(st);
	struct stat made;

	if (st->st_nlink < 2 || lstat(to, &made))
		return;
	n = xcalloc(1, sizeof(*n));
	*n = (struct copy_name){ *first, st->st_dev, st->st_ino, made.st_ino, xstrdup(to) };
	*first = n;
}

static int copy_attribute(int from, const char *to, const char *name, struct err *e)
{
	ssize_t size = fgetxattr(from, name, NULL, 0);
	autofree char *value = xcalloc(1, size > 0 ? (size_t)size : 1);

	size = size < 0 ? size : fgetxattr(from, name, value, (size_t)size);
	/* Some belong to the host or to its file system, and a build may not set them. */
	if (size < 0 || !lsetxattr(to, name, value, (size_t)size, 0) || errno == EPERM ||
	    errno == EACCES || errno == ENOTSUP)
		return 0;
	return err_sys(e, "set '%s' of '%s'", name, to);
}

int copy_attributes(int from, const char *to, struct err *e)
{
	ssize_t size = flistxattr(from, NULL, 0);
	autofree char *names = xcalloc(1, size > 0 ? (size_t)size : 1);
	int rc = 0;

	size = size <= 0 ? 0 : flistxattr(from, names, (size_t)size);
	for (const char *at = names; !rc && at < names + size; at += strlen(at) + 1)
		rc = copy_attribute(from, to, at, e);
	return rc;
}
