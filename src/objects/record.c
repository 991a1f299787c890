#include "objects/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"

#define RECORD_MAX  (64 * KIB)
#define RECORD_NAME 96 /* of a record, and what is added around it */

int record_read(int dir, const char *name, json_t **json)
{
	autoclose int fd = io_open_below(dir, name, O_RDONLY, 0);
	autobuf struct buf b = { 0 };
	int rc = fd < 0 ? fd : io_read_all(fd, &b, RECORD_MAX);

	if (rc < 0)
		return rc;
	*json = json_loadb((char *)b.data, b.size, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(*json))
		return 0;
	json_decref(*json);
	*json = NULL;
	return -EBADMSG;
}

static int record_write(int dir, const char *name, const char *text)
{
	autoclose int fd = -1;
	int rc;

	unlinkat(dir, name, 0); /* a crash may have left it */
	fd = io_open_below(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return fd;
	rc = io_write_full(fd, text, strlen(text));
	return !rc && fsync(fd) ? -errno : rc;
}

/* The new record takes the name; the old one, if there is one, goes to the draft's name.  A file
 * system that cannot exchange names (EINVAL) loses the old record here, so its undoing fails. */
static int record_exchange(int dir, const char *draft, const char *name, bool *old)
{
	*old = true;
	if (!renameat2(dir, draft, dir, name, RENAME_EXCHANGE))
		return 0;
	if (errno != ENOENT && errno != EINVAL)
		return -errno;
	*old = errno == EINVAL;
	return renameat(dir, draft, dir, name) ? -errno : 0;
}

static bool record_undo_exchange(int dir, const char *draft, const char *name, bool old)
{
	return !renameat2(dir, name, dir, draft, old ? RENAME_EXCHANGE : 0) && !fsync(dir);
}

int record_put(int dir, const char *name, const char *text, bool *unsure)
{
	char draft[RECORD_NAME];
	bool old = false;
	int rc;

	*unsure = false;
	snprintf(draft, sizeof(draft), ".%s.new", name);
	rc = record_write(dir, draft, text);
	if (!rc)
		rc = record_exchange(dir, draft, name, &old);
	if (!rc && fsync(dir)) {
		rc = -errno;
		*unsure = !record_undo_exchange(dir, draft, name, old);
	}
	if (!*unsure)
		unlinkat(dir, draft, 0);
	return rc;
}

static void record_gone_name(char *to, const char *name)
{
	snprintf(to, RECORD_NAME, ".%s.gone", name);
}

static void record_undo_remove(int dir, struct record_gone *gone, size_t n, int rc, bool *unsure)
{
	char away[RECORD_NAME];

	for (size_t i = 0; i < n; i++) {
		if (gone[i].rc)
			continue;
		record_gone_name(away, gone[i].name);
		if (renameat(dir, away, dir, gone[i].name) && errno != ENOENT)
			*unsure = true;
		gone[i].rc = rc;
	}
	if (fsync(dir))
		*unsure = true;
}

void record_remove(int dir, struct record_gone *gone, size_t n, bool *unsure)
{
	char away[RECORD_NAME];
	bool any = false;

	*unsure = false;
	for (size_t i = 0; i < n; i++) {
		record_gone_name(away, gone[i].name);
		if (!renameat(dir, gone[i].name, dir, away))
			any = true;
		else if (errno != ENOENT)
			gone[i].rc = -errno;
	}
	if (any && fsync(dir)) {
		record_undo_remove(dir, gone, n, -errno, unsure);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (gone[i].rc)
			continue;
		record_gone_name(away, gone[i].name);
		unlinkat(dir, away, 0); /* one that stays is deleted at the next start */
	}
}
