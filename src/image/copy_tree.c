/* copy_tree.c - finds sources by their patterns and copies them. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "image/copy.h"

#define COPY_DEEP 256

/* Links of the sources lead inside of them only. */
static int copy_open(const char *path, int flags)
{
	autoclose int root = open(COPY_SOURCE, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };

	return root < 0 ? -1
			: (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));
}

static int copy_finish(const struct copy *c, const char *to, const struct stat *st, struct err *e)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	uid_t uid = c->uid == COPY_KEEP ? st->st_uid : c->uid;
	gid_t gid = c->gid == COPY_KEEP ? st->st_gid : c->gid;
	mode_t mode = c->chmod ? copy_mode(c->chmod, st->st_mode) : st->st_mode & 07777;

	if (fchownat(AT_FDCWD, to, uid, gid, AT_SYMLINK_NOFOLLOW) ||
	    (!S_ISLNK(st->st_mode) && chmod(to, mode)) ||
	    utimensat(AT_FDCWD, to, times, AT_SYMLINK_NOFOLLOW))
		return err_sys(e, "finish '%s'", to);
	return 0;
}

/* Folders that nobody copied belong to the owner of the copy. */
static int copy_make_parents(const struct copy *c, const char *path, struct err *e)
{
	autofree char *copy = xstrdup(path);
	struct stat made = { .st_mode = S_IFDIR | 0755 };

	for (char *cut = strchr(copy + 1, '/'); cut; cut = strchr(cut + 1, '/')) {
		*cut = '\0';
		if (!mkdir(copy, 0755)) {
			if (chown(copy, c->uid == COPY_KEEP ? made.st_uid : c->uid,
				  c->gid == COPY_KEEP ? made.st_gid : c->gid))
				return err_sys(e, "give '%s' away", copy);
		} else if (errno != EEXIST) {
			return err_sys(e, "make '%s'", copy);
		}
		*cut = '/';
	}
	return 0;
}

static int copy_file(const struct copy *c, int from, const char *to, const struct stat *st,
		     struct err *e)
{
	autoclose int fd = -1;

	if (unlink(to) && errno != ENOENT)
		return err_sys(e, "replace '%s'", to);
	if (copy_link_again(st, to))
		return 0;
	fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || io_copy_sparse(from, fd))
		return err_sys(e, "write '%s'", to);
	if (copy_finish(c, to, st, e) || copy_attributes(from, to, e))
		return -1;
	copy_remember(st, to);
	return 0;
}

static int copy_fifo(const struct copy *c, const char *to, const struct stat *st, struct err *e)
{
	if ((unlink(to) && errno != ENOENT) || mkfifo(to, 0600))
		return err_sys(e, "make '%s'", to);
	return copy_finish(c, to, st, e);
}

static int copy_link(const struct copy *c, int dir, const char *name, const char *to,
		     const struct stat *st, struct err *e)
{
	char target[4096];
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return err_sys(e, "read the link '%s'", name);
	target[n] = '\0';
	if ((unlink(to) && errno != ENOENT) || symlink(target, to))
		return err_sys(e, "make the link '%s'", to);
	return copy_finish(c, to, st, e);
}

static int copy_folder(const struct copy *c, int dir, const char *relative, const char *to,
		       unsigned deep, struct err *e);

/* BuildKit refuses this too.  A folder behind a link may be meant, or the link may be in the way.
 */
static int copy_meets(const char *to, struct stat *there, struct err *e)
{
	if (lstat(to, there))
		return errno == ENOENT ? 0 : err_sys(e, "look at '%s'", to);
	if (S_ISDIR(there->st_mode))
		return 0;
	return err_set(e, ERR_INVALID, "cannot copy to non-directory: '%s' is a %s in the image",
		       to, S_ISLNK(there->st_mode) ? "link" : "file");
}

/* See whether folders would meet something else, below what is there already. */
static int copy_look(const struct copy *c, int dir, const char *name, const char *relative,
		     const char *to, unsigned deep, struct err *e)
{
	struct stat there = { 0 };
	int fd;

	if (copy_meets(to, &there, e))
		return -1;
	if (!there.st_mode)
		return 0;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open '%s'", relative);
	return copy_folder(c, fd, relative, to, deep + 1, e);
}

/* @relative is what --exclude looks at. */
static int copy_entry(const struct copy *c, int dir, const char *name, const char *relative,
		      const char *to, unsigned deep, struct err *e)
{
	bool out = c->exclude && ignore_matches(c->exclude, relative);
	struct stat st, there;
	int fd;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return err_sys(e, "look at '%s'", relative);
	if (c->look)
		return S_ISDIR(st.st_mode) ? copy_look(c, dir, name, relative, to, deep, e) : 0;
	if (out && !(S_ISDIR(st.st_mode) && ignore_takes_in(c->exclude)))
		return 0;
	if (S_ISLNK(st.st_mode))
		return copy_link(c, dir, name, to, &st, e);
	if (S_ISFIFO(st.st_mode))
		return copy_fifo(c, to, &st, e);
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return 0;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open '%s'", relative);
	if (S_ISREG(st.st_mode)) {
		int rc = copy_file(c, fd, to, &st, e);

		close(fd);
		return rc;
	}
	if (copy_meets(to, &there, e) ||
	    (mkdir(to, 0700) && errno != EEXIST && err_sys(e, "make '%s'", to))) {
		close(fd);
		return -1;
	}
	if (copy_folder(c, fd, relative, to, deep + 1, e))
		return -1;
	if (out) { /* it stays only if something in it was taken in */
		(void)!rmdir(to);
		return access(to, F_OK) ? 0 : copy_finish(c, to, &st, e);
	}
	return copy_finish(c, to, &st, e);
}

static int copy_folder(const struct copy *c, int dir, const char *relative, const char *to,
		       unsigned deep, struct err *e)
{
	DIR *list = fdopendir(dir);
	struct dirent *entry;
	int rc = 0;

	if (!list || deep > COPY_DEEP) {
		if (list)
			closedir(list);
		return err_set(e, ERR_INVALID, "the folders of '%s' are nested too deeply",
			       relative);
	}
	while (!rc && (entry = readdir(list))) {
		autofree char *path =
			xasprintf("%s%s%s", relative, *relative ? "/" : "", entry->d_name);
		const char *slash = *to && to[strlen(to) - 1] == '/' ? "" : "/";
		autofree char *target = xasprintf("%s%s%s", to, slash, entry->d_name);

		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rc = copy_entry(c, dirfd(list), entry->d_name, path, target, deep, e);
	}
	closedir(list);
	return rc;
}

/* One source without wildcards; @rest is its path behind the pivot, which --parents keeps. */
static int copy_found(const struct copy *c, const char *path, const char *rest, struct err *e)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	autofree char *to = NULL;
	size_t n = strlen(c->target);
	bool folder = n && c->target[n - 1] == '/';
	struct stat st, there;
	int fd = copy_open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st)) {
		if (fd >= 0)
			close(fd);
		return err_sys(e, "open '%s'", path);
	}
	folder = folder || (!stat(c->target, &there) && S_ISDIR(there.st_mode));
	if (c->parents)
		to = xasprintf("%s/%s", c->target, rest);
	else if (S_ISDIR(st.st_mode))
		to = xasprintf("%s%s", c->target, folder ? "" : "/");
	else
		to = folder ? xasprintf("%s/%s", c->target, name) : xstrdup(c->target);
	if (c->exclude && ignore_matches(c->exclude, c->parents ? rest : name) &&
	    (!S_ISDIR(st.st_mode) || c->parents)) {
		close(fd);
		return 0;
	}
	if (c->look && S_ISDIR(st.st_mode))
		return copy_folder(c, fd, "", to, 0, e);
	if (c->look || copy_make_parents(c, to, e)) {
		close(fd);
		return c->look ? 0 : -1;
	}
	if (!S_ISDIR(st.st_mode)) {
		int rc = copy_file(c, fd, to, &st, e);

		close(fd);
		return rc;
	}
	if (c->parents && mkdir(to, 0700) && errno != EEXIST)
		return err_sys(e, "make '%s'", to);
	if (copy_folder(c, fd, c->parents ? rest : "", to, 0, e))
		return -1;
	return c->parents ? copy_finish(c, to, &st, e) : 0;
}

/* Match the pattern's parts one folder at a time. @path is what was found so far. */
static int copy_glob(const struct copy *c, const char *path, size_t pivot, const char *pattern,
		     unsigned *found, struct err *e)
{
	size_t n = strcspn(pattern, "/");
	autofree char *part = xasprintf("%.*s", (int)n, pattern);
	const char *next = pattern + n + strspn(pattern + n, "/");
	bool any = strcmp(part, "**") == 0;
	autofree char *at = NULL;
	struct dirent **list;
	int fd, entries, rc = 0;

	if (!*pattern) {
		++*found;
		return copy_found(c, path, path + pivot + (path[pivot] == '/'), e);
	}
	if (!strpbrk(part, "*?[\\")) {
		autofree char *below = xasprintf("%s%s%s", path, *path ? "/" : "", part);

		fd = copy_open(below, O_PATH);
		if (fd < 0)
			return 0;
		close(fd);
		return copy_glob(c, below, pivot, next, found, e);
	}
	fd = copy_open(path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return 0;
	at = xasprintf("/proc/self/fd/%d", fd);
	if (any)
		rc = copy_glob(c, path, pivot, next, found, e);
	entries = rc ? 0 : scandir(at, &list, NULL, alphasort);
	for (int i = 0; i < entries; i++) {
		const char *name = list[i]->d_name;
		autofree char *below = xasprintf("%s%s%s", path, *path ? "/" : "", name);

		if (!rc && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
		    (any ? list[i]->d_type == DT_DIR : !fnmatch(part, name, 0)))
			rc = copy_glob(c, below, pivot, any ? pattern : next, found, e);
		free(list[i]);
	}
	if (!rc && entries > 0)
		free(list);
	close(fd);
	return rc;
}

int copy_source(const struct copy *c, const char *source, struct err *e)
{
	const char *pivot = c->parents ? strstr(source, "/./") : NULL;
	autofree char *before = xasprintf("%.*s", pivot ? (int)(pivot - source) : 0, source);
	autobuf struct buf root = { 0 };
	const char *pattern = pivot ? pivot + 3 : source;
	unsigned found = 0;
	char *rest = before, *part;

	while ((part = strsep(&rest, "/")))
		if (*part && strcmp(part, ".") != 0 && strcmp(part, "..") != 0)
			buf_addf(&root, "%s%s", root.size ? "/" : "", part);
	while (*pattern == '/' || !strncmp(pattern, "./", 2) || !strncmp(pattern, "../", 3))
		pattern += *pattern == '/' ? 1 : strcspn(pattern, "/") + 1;
	if (!strcmp(pattern, ".") || !strcmp(pattern, ".."))
		pattern = "";
	if (copy_glob(c, buf_str(&root), root.size, pattern, &found, e))
		return -1;
	if (!found && !strpbrk(source, "*?["))
		return err_set(e, ERR_NOT_FOUND, "'%s' is not there", source);
	return 0;
}
