#include "cli/backup_files.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <openssl/evp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/io.h"

#define FILES_BLOCK (64 * KIB)

static int files_new(int to, const char *path)
{
	return io_open_below(to, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
}

static int files_copy(int in, int to, const char *path, struct err *e)
{
	autoclose int out = files_new(to, path);
	int rc = out < 0 ? out : io_copy_sparse(in, out);

	if (!rc && fsync(out))
		rc = -errno;
	if (!rc)
		return 0;
	errno = -rc;
	return err_sys(e, "copy '%s'", path);
}

static bool files_clone(int in, int to, const char *path)
{
	autoclose int out = files_new(to, path);

	if (out < 0)
		return false;
	if (!ioctl(out, FICLONE, in) && !fsync(out))
		return true;
	unlinkat(to, path, 0);
	return false;
}

int files_take(int from, int to, const char *path, enum files_how how, struct err *e)
{
	autoclose int in = io_open_below(from, path, O_RDONLY, 0);

	if (in == -ENOENT)
		return -ENOENT;
	if (in < 0) {
		errno = -in;
		return err_sys(e, "read '%s'", path);
	}
	if (how == FILES_SHARE && (files_clone(in, to, path) || !linkat(from, path, to, path, 0)))
		return 0;
	return files_copy(in, to, path, e);
}

static bool files_is_zero(const uint8_t *block, size_t n)
{
	return !n || (!block[0] && !memcmp(block, block + 1, n - 1));
}

/* Each block that holds anything, behind the place where it stands. */
static int files_hash(int fd, off_t size, EVP_MD_CTX *hash)
{
	autofree uint8_t *block = xmalloc(FILES_BLOCK);

	for (off_t at = lseek(fd, 0, SEEK_DATA); at >= 0 && at < size;) {
		uint64_t place;
		size_t n;

		at -= at % (off_t)FILES_BLOCK;
		place = (uint64_t)at;
		n = (size_t)(size - at < (off_t)FILES_BLOCK ? size - at : (off_t)FILES_BLOCK);
		if (io_pread_full(fd, block, n, at))
			return -1;
		if (!files_is_zero(block, n)) {
			EVP_DigestUpdate(hash, &place, sizeof(place));
			EVP_DigestUpdate(hash, block, n);
		}
		at = lseek(fd, at + (off_t)n, SEEK_DATA);
	}
	return 0;
}

static char *files_digest(EVP_MD_CTX *hash)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	char *text = xmalloc(2 * sizeof(sum) + 1);

	EVP_DigestFinal_ex(hash, sum, &n);
	hex_encode(sum, n, text);
	return text;
}

static char *files_sum(int fd, off_t size, struct err *e)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	char *text = NULL;

	EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
	if (files_hash(fd, size, hash))
		err_sys(e, "read a file of the backup");
	else
		text = files_digest(hash);
	EVP_MD_CTX_free(hash);
	return text;
}

char *files_sum_of(const json_t *entries)
{
	autofree char *text = json_dumps(entries, JSON_COMPACT | JSON_SORT_KEYS);
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	char *sum;

	EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
	EVP_DigestUpdate(hash, text, strlen(text));
	sum = files_digest(hash);
	EVP_MD_CTX_free(hash);
	return sum;
}

static int files_open(int dir, const char *path, struct stat *st, struct err *e)
{
	int fd = io_open_below(dir, path, O_RDONLY, 0);

	errno = -fd;
	if (fd >= 0 && !fstat(fd, st))
		return fd;
	fd_close(&fd);
	return err_sys(e, "read '%s'", path);
}

json_t *files_entry(int dir, const char *path, struct err *e)
{
	struct stat st;
	autoclose int fd = files_open(dir, path, &st, e);
	const struct passwd *user = fd < 0 ? NULL : getpwuid(st.st_uid);
	const struct group *group = fd < 0 ? NULL : getgrgid(st.st_gid);
	autofree char *sum = NULL;
	json_t *entry;

	if (fd < 0)
		return NULL;
	if (!user || !group) {
		err_set(e, ERR_INVALID, "'%s' belongs to a user or group without a name", path);
		return NULL;
	}
	if (S_ISREG(st.st_mode)) {
		sum = files_sum(fd, st.st_size, e);
		if (!sum)
			return NULL;
	}
	entry = json_pack("{s:i,s:s,s:s}", "mode", (int)(st.st_mode & 07777), "owner",
			  user->pw_name, "group", group->gr_name);
	if (sum) {
		json_object_set_new(entry, "size", json_integer(st.st_size));
		json_object_set_new(entry, "sum", json_string(sum));
	}
	return entry;
}

int files_check(int dir, const char *path, const json_t *entry, struct err *e)
{
	const char *wanted = json_string_value(json_object_get(entry, "sum"));
	struct stat st;
	autoclose int fd = files_open(dir, path, &st, e);
	autofree char *sum = NULL;

	if (fd < 0)
		return -1;
	if (!wanted)
		return S_ISDIR(st.st_mode) ? 0 : err_set(e, ERR_INVALID, "'%s' is no folder", path);
	sum = files_sum(fd, st.st_size, e);
	if (!sum)
		return -1;
	if (!S_ISREG(st.st_mode) || strcmp(sum, wanted) != 0 ||
	    st.st_size != json_integer_value(json_object_get(entry, "size")))
		return err_set(e, ERR_INVALID, "'%s' is not what the backup was made of", path);
	return 0;
}

int files_own(int dir, const char *path, const json_t *entry, struct err *e)
{
	const char *owner = json_string_value(json_object_get(entry, "owner"));
	const char *group_name = json_string_value(json_object_get(entry, "group"));
	const struct passwd *user = owner ? getpwnam(owner) : NULL;
	const struct group *group = group_name ? getgrnam(group_name) : NULL;
	struct stat st;
	autoclose int fd = files_open(dir, path, &st, e);

	if (fd < 0)
		return -1;
	if (!user || !group)
		return err_set(e, ERR_INVALID,
			       "there is no user '%s' or no group '%s': run tools/install first",
			       owner ? owner : "", group_name ? group_name : "");
	if (fchown(fd, user->pw_uid, group->gr_gid) ||
	    fchmod(fd, (mode_t)json_integer_value(json_object_get(entry, "mode"))))
		return err_sys(e, "give '%s' to its owner", path);
	return 0;
}
