/* restore.c - doze restore: a backup in the place of a data directory.
 *
 * Everything is checked before anything is changed.  While it is being changed the file RESTORING
 * keeps doze from starting, and another restore may finish what was broken off.  The rows are read
 * by the next start. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/backup_files.h"
#include "cli/cli.h"
#include "cli/daemon.h"
#include "cli/suggest.h"
#include "ipc/format.h"

struct restore {
	int from, data; /* directories; owned */
	json_t *manifest;
	const json_t *entries; /* of the manifest */
	bool force;
};

/* What the rows and files of a doze are; keys are written over. */
static const char *const restore_replaced[] = {
	"images",
	"control/microvms",
	"control/machines",
	"control/doze.db",
	"control/doze.db-wal",
	"control/doze.db-shm",
	"control/restore.rows",
	"control/restore.force",
};

static int restore_read(struct restore *r, struct err *e)
{
	autoclose int fd = io_open_below(r->from, BACKUP_MANIFEST, O_RDONLY, 0);
	autobuf struct buf text = { 0 };
	autofree char *sum = NULL;

	if (fd < 0 || io_read_all(fd, &text, 64 * MIB))
		return err_set(e, ERR_NOT_FOUND, "this is no backup of doze: it has no %s",
			       BACKUP_MANIFEST);
	r->manifest = json_loadb((const char *)text.data, text.size, 0, NULL);
	r->entries = json_object_get(r->manifest, "entries");
	if (json_is_object(r->entries))
		sum = files_sum_of(r->entries);
	if (!sum || strcmp(sum, json_text(r->manifest, "sum")) != 0 ||
	    !json_object_get(r->entries, BACKUP_ROWS))
		return err_set(e, ERR_INVALID, "the %s of the backup is damaged", BACKUP_MANIFEST);
	return 0;
}

static int restore_check(const struct restore *r, struct err *e)
{
	const char *path;
	const json_t *entry;

	json_object_foreach((json_t *)(uintptr_t)r->entries, path, entry)
	{
		if (files_check(r->from, path, entry, e))
			return -1;
	}
	return 0;
}

static bool restore_is_empty(const struct restore *r, const char *path)
{
	int fd = io_open_below(r->data, path, O_RDONLY | O_DIRECTORY, 0), n = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		fd_close(&fd);
		return faccessat(r->data, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0;
	}
	while (readdir(dir))
		n++;
	closedir(dir);
	return n <= 2;
}

static int restore_may(const struct restore *r, struct err *e)
{
	if (r->force || !faccessat(r->data, RESTORING, F_OK, 0))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(restore_replaced); i++)
		if (!restore_is_empty(r, restore_replaced[i]))
			return err_set(e, ERR_CONFLICT,
				       "the data directory has '%s' already: --force replaces all "
				       "that is there",
				       restore_replaced[i]);
	return 0;
}

/* Folders come before what is in them: their paths are shorter. */
static int restore_put(const struct restore *r, const char *path, const json_t *entry,
		       struct err *e)
{
	int rc;

	if (!json_object_get(entry, "sum")) {
		if (mkdirat(r->data, path, 0700) && errno != EEXIST)
			return err_sys(e, "make '%s'", path);
		return files_own(r->data, path, entry, e);
	}
	if (unlinkat(r->data, path, 0) && errno != ENOENT)
		return err_sys(e, "replace '%s'", path);
	rc = files_take(r->from, r->data, path,
			!strncmp(path, "images/", 7) || !strncmp(path, "control/", 8) ? FILES_SHARE
										      : FILES_COPY,
			e);
	if (rc == -ENOENT)
		return err_set(e, ERR_NOT_FOUND, "'%s' has vanished from the backup", path);
	return rc ? rc : files_own(r->data, path, entry, e);
}

static int restore_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int restore_put_all(const struct restore *r, struct err *e)
{
	size_t n = json_object_size(r->entries), i = 0;
	autofree const char **paths = xcalloc(n, sizeof(*paths));
	const char *path;
	const json_t *entry;

	json_object_foreach((json_t *)(uintptr_t)r->entries, path, entry) paths[i++] = path;
	qsort(paths, n, sizeof(*paths), restore_compare);
	for (i = 0; i < n; i++)
		if (strcmp(paths[i], BACKUP_ROWS) != 0 &&
		    restore_put(r, paths[i], json_object_get(r->entries, paths[i]), e))
			return -1;
	return 0;
}

static int restore_put_rows(const struct restore *r, struct err *e)
{
	const char *name = r->force ? "control/restore.force" : "control/restore.rows";
	autoclose int in = io_open_below(r->from, BACKUP_ROWS, O_RDONLY, 0);
	autoclose int out = -1;
	const json_t *entry = json_object_get(r->entries, BACKUP_ROWS);

	if (mkdirat(r->data, "control", 0700) && errno != EEXIST)
		return err_sys(e, "make 'control'");
	out = io_open_below(r->data, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (in < 0 || out < 0 || io_copy_sparse(in, out) || fsync(out))
		return err_set(e, ERR_INTERNAL, "the rows cannot be written to '%s'", name);
	return files_own(r->data, name, entry, e);
}

static int restore_change(const struct restore *r, struct err *e)
{
	if (io_replace(r->data, RESTORING, "", 0, 0600, e))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(restore_replaced); i++)
		if (io_remove_tree(r->data, restore_replaced[i]) && errno != ENOENT)
			return err_sys(e, "remove '%s'", restore_replaced[i]);
	if (restore_put_all(r, e) || restore_put_rows(r, e))
		return -1;
	if (syncfs(r->data) || unlinkat(r->data, RESTORING, 0) || fsync(r->data))
		return err_sys(e, "write the data directory");
	return 0;
}

static int restore_open(struct restore *r, const struct client *c, const char *from, struct err *e)
{
	r->from = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->from < 0)
		return err_sys(e, "open the backup '%s'", from);
	if (mkdir(c->conf.data_dir, 0755) && errno != EEXIST)
		return err_sys(e, "make '%s'", c->conf.data_dir);
	r->data = open(c->conf.data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return r->data < 0 ? err_sys(e, "open '%s'", c->conf.data_dir) : 0;
}

int cmd_restore(struct client *c, const struct typed *t)
{
	struct restore r = { .from = -1, .data = -1, .force = typed_option(t, "--force") };
	autofree char *down = command_text(&c->conf, "down");
	autofree char *up = command_text(&c->conf, "up");
	struct err e;
	int rc;

	if (geteuid())
		return say_text("a backup holds keys and files of several users: become root");
	if (daemon_supervisor(c).pid)
		return say_text("doze is running: stop it first with '%s'", down);
	rc = restore_open(&r, c, t->words.at[0], &e) || restore_read(&r, &e) ||
			     restore_check(&r, &e) || restore_may(&r, &e) || restore_change(&r, &e)
		     ? -1
		     : 0;
	json_decref(r.manifest);
	fd_close(&r.from);
	fd_close(&r.data);
	if (rc)
		return say(&e);
	printf("the backup is in place: type '%s'\n", up);
	return 0;
}
