#include "cli/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

#include "base/io.h"
#include "base/limits.h"
#include "wire/ignore.h"

static int pack_fail(struct err *e, zip_t *zip, const char *path)
{
	return err_set(e, ERR_INTERNAL, "pack '%s': %s", path, zip_strerror(zip));
}

static zip_source_t *pack_source(zip_t *zip, const FTSENT *entry)
{
	char target[PATH_MAX];
	ssize_t n;
	char *copy;

	if (entry->fts_info != FTS_SL && entry->fts_info != FTS_SLNONE)
		return zip_source_file(zip, entry->fts_accpath, 0, -1);
	n = readlink(entry->fts_accpath, target, sizeof(target));
	if (n < 0)
		return NULL;
	copy = malloc((size_t)n); /* libzip frees it with free() */
	if (!copy)
		return NULL;
	memcpy(copy, target, (size_t)n);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the source frees it */
	return zip_source_buffer(zip, copy, (zip_uint64_t)n, 1);
}

static int pack_entry(zip_t *zip, const FTSENT *entry, const char *name, struct err *e)
{
	zip_uint32_t mode = (zip_uint32_t)entry->fts_statp->st_mode << 16;
	zip_source_t *source;
	zip_int64_t at;

	if (entry->fts_info == FTS_D) {
		at = zip_dir_add(zip, name, ZIP_FL_ENC_UTF_8);
	} else {
		source = pack_source(zip, entry);
		at = source ? zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8) : -1;
		if (at < 0 && source)
			zip_source_free(source);
	}
	if (at < 0 ||
	    zip_file_set_external_attributes(zip, (zip_uint64_t)at, 0, ZIP_OPSYS_UNIX, mode))
		return pack_fail(e, zip, name);
	return 0;
}

/* The build reads these itself, even if no COPY shall see them. */
static bool pack_always(const char *name)
{
	static const char *const names[] = { "Dockerfile", ".dockerignore",
					     "Dockerfile.dockerignore" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

/* The rules of the directory, or NULL.  The Dockerfile's own come first. */
static struct ignore *pack_rules(const char *dir)
{
	static const char *const names[] = { "Dockerfile.dockerignore", ".dockerignore" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		autofree char *path = xasprintf("%s/%s", dir, names[i]);
		autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
		autobuf struct buf text = { 0 };

		if (fd >= 0 && !io_read_all(fd, &text, LIMIT_DOCKERFILE))
			return ignore_parse((const char *)text.data, text.size);
	}
	return NULL;
}

/* Is the entry left out?  What lies below a folder that is may still be taken in. */
static bool pack_ignored(FTS *fts, FTSENT *entry, struct ignore *rules, const char *name)
{
	if (!strcmp(entry->fts_name, ".git")) {
		fts_set(fts, entry, FTS_SKIP);
		return true;
	}
	if (!rules || pack_always(name) || !ignore_matches(rules, name))
		return false;
	if (entry->fts_info == FTS_D && !ignore_takes_in(rules))
		fts_set(fts, entry, FTS_SKIP);
	return true;
}

static int pack_tree(zip_t *zip, const char *dir, struct ignore *rules, struct err *e)
{
	autofree char *copy = xstrdup(dir);
	char *const roots[] = { copy, NULL };
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	size_t skip = strlen(dir);
	FTSENT *entry;
	int rc = 0;

	if (!fts)
		return err_sys(e, "read '%s'", dir);
	while (!rc && (entry = fts_read(fts))) {
		const char *name = entry->fts_path + skip;

		while (*name == '/')
			name++;
		if (!*name || entry->fts_info == FTS_DP)
			continue;
		if (pack_ignored(fts, entry, rules, name))
			continue;
		if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR ||
		    entry->fts_info == FTS_NS) {
			errno = entry->fts_errno;
			rc = err_sys(e, "read '%s'", entry->fts_path);
		} else if (entry->fts_info != FTS_DEFAULT) { /* no devices, sockets, FIFOs */
			rc = pack_entry(zip, entry, name, e);
		}
	}
	fts_close(fts);
	return rc;
}

static int pack_zip(zip_t *zip, const char *dir, struct err *e)
{
	struct ignore *rules = pack_rules(dir);
	int rc = pack_tree(zip, dir, rules, e);

	if (!rc && rules && ignore_gave_up(rules))
		rc = err_set(e, ERR_INVALID, IGNORE_GAVE_UP);
	ignore_free(rules);
	if (!rc && zip_close(zip))
		rc = pack_fail(e, zip, dir);
	if (rc)
		zip_discard(zip);
	return rc;
}

int pack_directory(const char *dir, struct err *e)
{
	char path[] = "/tmp/doze-pack-XXXXXX";
	autofree char *dockerfile = xasprintf("%s/Dockerfile", dir);
	struct stat st;
	zip_error_t why;
	zip_t *zip;
	int fd, code;

	if (stat(dir, &st))
		return errno == ENOENT ? err_set(e, ERR_INVALID, "there is no folder '%s'", dir)
				       : err_sys(e, "read the folder '%s'", dir);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_INVALID,
			       "'%s' is no folder: give the folder that has the Dockerfile", dir);
	if (access(dockerfile, R_OK))
		return err_set(e, ERR_INVALID,
			       "there is no Dockerfile in '%s': give the directory that has one",
			       dir);
	fd = mkstemp(path);
	if (fd < 0)
		return err_sys(e, "make a temporary file");
	close(fd);
	zip = zip_open(path, ZIP_TRUNCATE, &code);
	if (!zip) {
		zip_error_init_with_code(&why, code);
		err_set(e, ERR_INTERNAL, "make a zip: %s", zip_error_strerror(&why));
		zip_error_fini(&why);
		unlink(path);
		return -1;
	}
	if (pack_zip(zip, dir, e)) {
		unlink(path);
		return -1;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	unlink(path);
	return fd < 0 ? err_sys(e, "open the zip") : fd;
}
