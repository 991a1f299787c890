/* backup.c - doze backup: the rows of one moment, and the files that they name.
 *
 * Image versions and checkpoints never change, and no name of theirs is used twice: what is there
 * under the name that a row has is what the row means.  A file that was removed since the rows were
 * written shows that they are out of date, and the backup begins anew. */

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

#define BACKUP_TRIES 5

struct backup {
	int data, to;    /* directories; owned */
	json_t *entries; /* of the manifest */
};

/* Keys and the format: small, and not immutable. */
static const char *const backup_keys[] = { "FORMAT", "ca.crt", "client-credentials", "secrets" };

static int backup_take(struct backup *b, const char *path, enum files_how how, struct err *e);

static int backup_note(struct backup *b, const char *path, struct err *e)
{
	json_t *entry = files_entry(b->data, path, e);

	if (!entry)
		return -1;
	json_object_set_new(b->entries, path, entry);
	return 0;
}

static int backup_take_folder(struct backup *b, const char *path, enum files_how how, struct err *e)
{
	int fd = io_open_below(b->data, path, O_RDONLY | O_DIRECTORY, 0), rc = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		fd_close(&fd);
		return -ENOENT;
	}
	while (!rc && (entry = readdir(dir))) {
		autofree char *below = xasprintf("%s/%s", path, entry->d_name);

		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rc = backup_take(b, below, how, e);
	}
	closedir(dir);
	return rc;
}

/* 0, -ENOENT or -1. */
static int backup_take(struct backup *b, const char *path, enum files_how how, struct err *e)
{
	struct stat st;
	int rc;

	if (fstatat(b->data, path, &st, AT_SYMLINK_NOFOLLOW))
		return -ENOENT;
	if (S_ISDIR(st.st_mode)) {
		if (mkdirat(b->to, path, 0700) && errno != EEXIST)
			return err_sys(e, "make '%s'", path);
		return backup_note(b, path, e) ? -1 : backup_take_folder(b, path, how, e);
	}
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "'%s' is no file", path);
	rc = files_take(b->data, b->to, path, how, e);
	return rc ? rc : backup_note(b, path, e);
}

/* With the folders above it, which hold others too. */
static int backup_take_below(struct backup *b, const char *path, struct err *e)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		autofree char *folder = xasprintf("%.*s", (int)(slash - path), path);

		if (json_object_get(b->entries, folder))
			continue;
		if (mkdirat(b->to, folder, 0700) && errno != EEXIST)
			return err_sys(e, "make '%s'", folder);
		if (faccessat(b->data, folder, F_OK, 0))
			return -ENOENT;
		if (backup_note(b, folder, e))
			return -1;
	}
	return backup_take(b, path, FILES_SHARE, e);
}

/* The files of a row; NULL: it has none. */
static char *backup_files_of(const json_t *line)
{
	const char *table = json_text(line, "table");
	const json_t *row = json_object_get(line, "row");
	json_int_t save = json_integer_value(json_object_get(row, "save"));

	if (!strcmp(table, "version") && !strcmp(json_text(row, "state"), "SUCCESSFUL"))
		return xasprintf("images/%s/%lld", json_text(row, "image"),
				 (long long)json_integer_value(json_object_get(row, "version")));
	if (!strcmp(table, "microvm") && save && strcmp(json_text(row, "state"), "TERMINATED") != 0)
		return xasprintf("control/microvms/%s/save-%lld", json_text(row, "id"),
				 (long long)save);
	return NULL;
}

static int backup_take_rows(struct backup *b, struct err *e)
{
	int fd = io_open_below(b->to, BACKUP_ROWS, O_RDONLY, 0), rc = 0;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	autofree char *text = NULL;
	size_t room = 0;

	if (!file) {
		fd_close(&fd);
		return err_set(e, ERR_INTERNAL, "the rows cannot be read");
	}
	while (!rc && getline(&text, &room, file) > 0) {
		json_auto_t *line = json_loads(text, 0, NULL);
		autofree char *path = backup_files_of(line);

		if (path)
			rc = backup_take_below(b, path, e);
	}
	fclose(file);
	return rc;
}

/* What root moves is in control's folder, whatever control says.  NULL: it says something else. */
static const char *backup_rows_name(const char *path)
{
	static const char folder[] = "control/";
	const char *name = path + sizeof(folder) - 1;

	if (strncmp(path, folder, sizeof(folder) - 1) != 0 || strncmp(name, ".backup-", 8) != 0 ||
	    strchr(name, '/'))
		return NULL;
	return name;
}

/* The daemon writes them into its directory, and they are taken from there. */
static int backup_fetch_rows(struct client *c, struct backup *b, struct err *e)
{
	json_auto_t *answer = client_json(c, "POST", "/doze/v1/backup", NULL, e);
	const char *name = backup_rows_name(json_text(answer, "rows"));
	autoclose int from = io_open_below(b->data, "control", O_RDONLY | O_DIRECTORY, 0);
	json_t *entry;
	int rc;

	if (!answer)
		return -1;
	if (!name || from < 0)
		return err_set(e, ERR_INTERNAL, "the daemon does not say where the rows are");
	rc = renameat(from, name, b->to, BACKUP_ROWS);
	if (rc && errno == EXDEV) {
		autoclose int in = io_open_below(from, name, O_RDONLY, 0);
		autoclose int out =
			io_open_below(b->to, BACKUP_ROWS, O_WRONLY | O_CREAT | O_EXCL, 0600);

		rc = in < 0 || out < 0 || io_copy_sparse(in, out) || fsync(out) ? -1 : 0;
		unlinkat(from, name, 0);
	}
	if (rc)
		return err_sys(e, "take the rows '%s'", name);
	entry = files_entry(b->to, BACKUP_ROWS, e);
	if (entry)
		json_object_set_new(b->entries, BACKUP_ROWS, entry);
	return entry ? 0 : -1;
}

static int backup_finish(struct backup *b, struct err *e)
{
	autofree char *sum = files_sum_of(b->entries);
	json_auto_t *manifest =
		json_pack("{s:s,s:s,s:O}", "doze", DOZE_VERSION, "sum", sum, "entries", b->entries);
	autofree char *text = json_dumps(manifest, JSON_INDENT(1) | JSON_SORT_KEYS);

	if (io_replace(b->to, BACKUP_MANIFEST, text, strlen(text), 0600, e))
		return -1;
	return syncfs(b->to) ? err_sys(e, "write the backup") : 0;
}

/* 0, -ENOENT (the rows are out of date) or -1. */
static int backup_make(struct client *c, struct backup *b, struct err *e)
{
	int rc = backup_fetch_rows(c, b, e);

	if (!rc)
		rc = backup_take_rows(b, e);
	for (size_t i = 0; !rc && i < ARRAY_SIZE(backup_keys); i++) {
		rc = backup_take(b, backup_keys[i], FILES_COPY, e);
		if (rc == -ENOENT)
			rc = err_set(e, ERR_NOT_FOUND, "the data directory has no '%s'",
				     backup_keys[i]);
	}
	return rc ? rc : backup_finish(b, e);
}

static int backup_try(struct client *c, const char *part, struct err *e)
{
	struct backup b = { .data = -1, .to = -1, .entries = json_object() };
	int rc;

	if (io_remove_tree(AT_FDCWD, part) || mkdir(part, 0700)) {
		rc = err_sys(e, "make '%s'", part);
	} else {
		b.data = open(c->conf.data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		b.to = open(part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = b.data < 0 || b.to < 0 ? err_sys(e, "open '%s'", part) : backup_make(c, &b, e);
	}
	fd_close(&b.data);
	fd_close(&b.to);
	json_decref(b.entries);
	return rc;
}

int cmd_backup(struct client *c, const struct typed *t)
{
	const char *to = t->words.at[0];
	autofree char *part = xasprintf("%s.part", to);
	struct err e;
	int rc = -ENOENT;

	if (geteuid())
		return say_text("a backup holds keys and files of several users: become root");
	if (*c->profile)
		return say_text("a backup is made on the host of the doze, not from elsewhere: it "
				"needs the files there");
	if (!access(to, F_OK))
		return say_text("'%s' is there already: name a folder that is not", to);
	for (int i = 0; rc == -ENOENT && i < BACKUP_TRIES; i++)
		rc = backup_try(c, part, &e);
	if (rc == -ENOENT)
		rc = err_set(&e, ERR_CONFLICT,
			     "files of the data directory vanish while they are taken: try again "
			     "when fewer microVMs and images come and go");
	if (!rc && rename(part, to))
		rc = err_sys(&e, "give the backup its name '%s'", to);
	if (!rc)
		return 0;
	if (io_remove_tree(AT_FDCWD, part))
		fprintf(stderr, "doze: '%s' is left over: remove it\n", part);
	return say(&e);
}
