#include "control/storage/checkpoint_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fscrypt.h"
#include "base/io.h"

static const char *const checkpoint_files[] = { "header", "state", "memory", "disk" };
static_assert(ARRAY_SIZE(checkpoint_files) == CHECKPOINT_NUM_FDS, "a file without a name");

void checkpoint_dir_path(char to[CHECKPOINT_PATH], const char *id, int64_t n, bool draft,
			 const char *file)
{
	snprintf(to, CHECKPOINT_PATH, "microvms/%s/%ssave-%lld%s%s%s", id, draft ? "." : "",
		 (long long)n, draft ? ".new" : "", *file ? "/" : "", file);
}

bool checkpoint_parse_name(const char *name, int64_t *n, bool *draft)
{
	const char *at = name + (*name == '.');
	char *end;

	*draft = *name == '.';
	if (strncmp(at, "save-", strlen("save-")) != 0)
		return false;
	at += strlen("save-");
	if (*at < '1' || *at > '9')
		return false;
	errno = 0;
	*n = strtoll(at, &end, 10);
	return !errno && !strcmp(end, *draft ? ".new" : "");
}

/* 0 or -errno: what cannot be read is not the same as an empty directory. */
static int dir_read(DIR *dir, struct checkpoint_list *list)
{
	struct checkpoint_entry entry;
	const struct dirent *d;

	while (errno = 0, (d = readdir(dir))) {
		if (!checkpoint_parse_name(d->d_name, &entry.n, &entry.draft))
			continue;
		list->each = xrealloc(list->each, (list->count + 1) * sizeof(entry));
		list->each[list->count++] = entry;
	}
	return -errno;
}

int checkpoint_dir_list(int dir_fd, const char *id, struct checkpoint_list *list)
{
	char path[CHECKPOINT_PATH];
	int rc, fd;
	DIR *dir;

	*list = (struct checkpoint_list){ 0 };
	snprintf(path, sizeof(path), "microvms/%s", id);
	fd = io_open_below(dir_fd, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		fd_close(&fd);
		return -ENOMEM;
	}
	rc = dir_read(dir, list);
	closedir(dir);
	if (rc)
		checkpoint_list_free(list);
	return rc;
}

void checkpoint_list_free(struct checkpoint_list *list)
{
	free(list->each);
	*list = (struct checkpoint_list){ 0 };
}

/* As docs/snapshot-format.md has it: magic, number of sections, and of each its offset and length.
 */
#define HEAD_MAGIC    "DOZESNAP"
#define HEAD_SECTIONS 64
#define HEAD_FIXED    72
#define HEAD_ENTRY    32

bool checkpoint_header_whole(const uint8_t *head, size_t n, uint64_t file_size)
{
	uint32_t sections;

	if (n < HEAD_FIXED || memcmp(head, HEAD_MAGIC, strlen(HEAD_MAGIC)) != 0)
		return false;
	sections = get_le32(head + HEAD_SECTIONS);
	if (sections > (n - HEAD_FIXED) / HEAD_ENTRY)
		return false;
	for (uint32_t i = 0; i < sections; i++) {
		const uint8_t *entry = head + HEAD_FIXED + i * HEAD_ENTRY;
		uint64_t at = get_le64(entry + 16), size = get_le64(entry + 24);

		if (at > file_size || size > file_size - at)
			return false;
	}
	return true;
}

/* The machine writes the header last, and syncs it with the other files before it says SAVED.  One
 * that was killed in the middle leaves a part of it.  1: it is complete, 0: it is not, or -errno.
 */
static int dir_complete(int dir_fd, const char *id, const struct checkpoint_entry *entry)
{
	char path[CHECKPOINT_PATH];
	uint8_t head[CHECKPOINT_HEAD];
	autoclose int fd = -1;
	struct stat st;
	ssize_t n;

	checkpoint_dir_path(path, id, entry->n, entry->draft, "header");
	fd = io_open_below(dir_fd, path, O_RDONLY, 0);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	n = fstat(fd, &st) ? -1 : pread(fd, head, sizeof(head), 0);
	if (n < 0)
		return -errno;
	return checkpoint_header_whole(head, (size_t)n, (uint64_t)st.st_size);
}

int checkpoint_dir_find(int dir_fd, const char *id, int64_t above, int64_t *n, bool *draft)
{
	struct checkpoint_list list;
	int rc = checkpoint_dir_list(dir_fd, id, &list);

	*n = 0;
	*draft = false;
	for (size_t i = 0; i < list.count && rc >= 0; i++) {
		if (list.each[i].n <= above || list.each[i].n <= *n)
			continue;
		rc = dir_complete(dir_fd, id, &list.each[i]);
		if (rc <= 0)
			continue;
		*n = list.each[i].n;
		*draft = list.each[i].draft;
	}
	checkpoint_list_free(&list);
	return rc < 0 ? rc : 0;
}

static int dir_next(int dir_fd, const char *id, int64_t above, int64_t *n, struct err *e)
{
	struct checkpoint_list list;
	int rc = checkpoint_dir_list(dir_fd, id, &list);

	*n = above;
	for (size_t i = 0; i < list.count; i++)
		if (list.each[i].n > *n)
			*n = list.each[i].n;
	++*n;
	checkpoint_list_free(&list);
	errno = -rc;
	return rc ? err_sys(e, "list the checkpoints of the microVM") : 0;
}

/* Another worker may take the number first, for a draft that nobody waits for any more. */
static int dir_make_next(int dir_fd, const char *id, int64_t above, int64_t *n, struct err *e)
{
	char path[CHECKPOINT_PATH];

	for (;;) {
		if (dir_next(dir_fd, id, above, n, e))
			return -1;
		checkpoint_dir_path(path, id, *n, true, "");
		if (!mkdirat(dir_fd, path, 0700))
			return 0;
		if (errno != EEXIST)
			return err_sys(e, "make the directory '%s'", path);
	}
}

static int dir_make(int dir_fd, const char *path, struct err *e)
{
	int rc = io_mkdir(dir_fd, path, 0700);

	errno = -rc;
	return rc ? err_sys(e, "make the directory '%s'", path) : 0;
}

static int dir_create(int dir_fd, const char *path, int flags, struct err *e)
{
	int fd = io_open_below(dir_fd, path, flags | O_CREAT | O_EXCL, 0600);

	errno = -fd;
	return fd < 0 ? err_sys(e, "create '%s'", path) : fd;
}

/* What belongs to a microVM is encrypted as its image is. */
static int dir_encrypt(int dir_fd, const char *path, int like, struct err *e)
{
	autoclose int dir = io_open_below(dir_fd, path, O_RDONLY | O_DIRECTORY, 0);
	int rc = dir < 0 ? dir : fscrypt_inherit(dir, like);

	errno = -rc;
	return rc ? err_sys(e, "encrypt the directory '%s'", path) : 0;
}

static int dir_link_disk(int dir_fd, const char *id, const char *machine, int64_t n, struct err *e)
{
	char from[CHECKPOINT_PATH], to[CHECKPOINT_PATH];

	snprintf(from, sizeof(from), "machines/%s/overlay", machine);
	checkpoint_dir_path(to, id, n, true, "disk");
	return linkat(dir_fd, from, dir_fd, to, 0) ? err_sys(e, "keep the disk of the microVM") : 0;
}

static int dir_encrypt_draft(int dir_fd, const char *id, const char *machine, int64_t n,
			     struct err *e)
{
	char path[CHECKPOINT_PATH];
	autoclose int overlay = -1;

	snprintf(path, sizeof(path), "machines/%s/overlay", machine);
	overlay = io_open_below(dir_fd, path, O_RDONLY, 0);
	if (overlay < 0)
		return 0; /* to link it says why */
	checkpoint_dir_path(path, id, n, true, "");
	return dir_encrypt(dir_fd, path, overlay, e);
}

static int dir_fill_draft(int dir_fd, const char *id, const char *machine, int64_t n,
			  int fds[SAVE_NUM_FDS], struct err *e)
{
	char path[CHECKPOINT_PATH];

	if (dir_encrypt_draft(dir_fd, id, machine, n, e))
		return -1;
	for (size_t i = 0; i < SAVE_NUM_FDS; i++) {
		checkpoint_dir_path(path, id, n, true, checkpoint_files[i]);
		fds[i] = dir_create(dir_fd, path, O_WRONLY, e);
		if (fds[i] < 0)
			return -1;
	}
	return dir_link_disk(dir_fd, id, machine, n, e);
}

int checkpoint_dir_draft(int dir_fd, const char *id, const char *machine, int64_t above, int64_t *n,
			 int fds[SAVE_NUM_FDS], struct err *e)
{
	char path[CHECKPOINT_PATH];

	snprintf(path, sizeof(path), "microvms/%s", id);
	if (dir_make(dir_fd, path, e) || dir_make_next(dir_fd, id, above, n, e))
		return -1;
	checkpoint_dir_path(path, id, *n, true, "");
	if (!dir_fill_draft(dir_fd, id, machine, *n, fds, e))
		return 0;
	for (size_t i = 0; i < SAVE_NUM_FDS; i++)
		fd_close(&fds[i]);
	if (io_remove_tree(dir_fd, path))
		return -1; /* the next start removes it; *e keeps the first failure */
	return -1;
}

static int dir_sync(int dir_fd, const char *path, int flags)
{
	autoclose int fd = io_open_below(dir_fd, path, flags, 0);

	if (fd < 0)
		return fd;
	return fsync(fd) ? -errno : 0;
}

/* The machine has synced the files, unless it ended before it said SAVED. */
static int dir_publish_draft(int dir_fd, const char *id, int64_t n)
{
	char draft[CHECKPOINT_PATH], final[CHECKPOINT_PATH], path[CHECKPOINT_PATH];
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(checkpoint_files) && !rc; i++) {
		checkpoint_dir_path(path, id, n, true, checkpoint_files[i]);
		rc = dir_sync(dir_fd, path, O_RDONLY);
	}
	checkpoint_dir_path(draft, id, n, true, "");
	checkpoint_dir_path(final, id, n, false, "");
	if (!rc)
		rc = dir_sync(dir_fd, draft, O_RDONLY | O_DIRECTORY);
	if (!rc && renameat(dir_fd, draft, dir_fd, final))
		rc = -errno;
	return rc;
}

int checkpoint_dir_publish(int dir_fd, const char *id, int64_t above, int64_t *n, struct err *e)
{
	char parent[CHECKPOINT_PATH];
	bool draft;
	int rc;

	rc = checkpoint_dir_find(dir_fd, id, above, n, &draft);
	errno = -rc;
	if (rc)
		return err_sys(e, "look for the checkpoint of the microVM");
	if (!*n)
		return err_set(e, ERR_NOT_FOUND, "no checkpoint of the microVM is complete");
	snprintf(parent, sizeof(parent), "microvms/%s", id);
	if (draft)
		rc = dir_publish_draft(dir_fd, id, *n);
	if (!rc)
		rc = dir_sync(dir_fd, parent, O_RDONLY | O_DIRECTORY);
	if (!rc)
		rc = dir_sync(dir_fd, "microvms", O_RDONLY | O_DIRECTORY);
	errno = -rc;
	return rc ? err_sys(e, "make the checkpoint durable") : 0;
}

int checkpoint_open(int dir_fd, const char *microvm, int64_t n, int fds[CHECKPOINT_NUM_FDS],
		    struct err *e)
{
	char path[CHECKPOINT_PATH];

	for (size_t i = 0; i < CHECKPOINT_NUM_FDS; i++)
		fds[i] = -1;
	for (size_t i = 0; i < CHECKPOINT_NUM_FDS; i++) {
		checkpoint_dir_path(path, microvm, n, false, checkpoint_files[i]);
		fds[i] = io_open_below(dir_fd, path, O_RDONLY, 0);
		if (fds[i] >= 0)
			continue;
		errno = -fds[i];
		err_sys(e, "open '%s' of the suspended microVM", path);
		for (size_t j = 0; j <= i; j++)
			fd_close(&fds[j]);
		return -1;
	}
	return 0;
}

int checkpoint_new_overlay(int dir_fd, const char *machine, int empty_fd, struct err *e)
{
	char path[CHECKPOINT_PATH];
	autoclose int fd = -1;
	int rc;

	snprintf(path, sizeof(path), "machines/%s", machine);
	if (dir_make(dir_fd, path, e))
		return -1;
	snprintf(path, sizeof(path), "machines/%s/overlay", machine);
	unlinkat(dir_fd, path, 0);
	snprintf(path, sizeof(path), "machines/%s", machine);
	if (dir_encrypt(dir_fd, path, empty_fd, e))
		return -1;
	snprintf(path, sizeof(path), "machines/%s/overlay", machine);
	fd = dir_create(dir_fd, path, O_RDWR, e);
	if (fd < 0)
		return -1;
	rc = io_copy_sparse(empty_fd, fd);
	errno = -rc;
	return rc ? err_sys(e, "create '%s'", path) : fd_steal(&fd);
}
