/* keys.c - what wraps the keys at rest, from files to the secret of the control role (contract:
 * secrets.h). */

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/io.h"
#include "base/log.h"
#include "base/rand.h"
#include "dozed/secrets.h"

#define KEYS_MASTER "kms-master"
#define KEYS_SIZE   32

static void keys_line(struct buf *to, const char *name, const uint8_t *bytes)
{
	char digits[2 * KEYS_SIZE + 1] = "-";

	if (bytes)
		hex_encode(bytes, KEYS_SIZE, digits);
	buf_addf(to, "%s %s\n", name, digits);
	OPENSSL_cleanse(digits, sizeof(digits));
}

/* Whoever may read or replace the file has the key. */
static int keys_check(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_sys(e, "look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "'%s' is no file", path);
	if (st.st_uid != geteuid() || st.st_mode & 077)
		return err_set(e, ERR_INVALID,
			       "'%s' must be of root and readable by nobody else: chown root and "
			       "chmod 600 it",
			       path);
	if (st.st_size != KEYS_SIZE)
		return err_set(e, ERR_INVALID, "'%s' has %lld bytes: a key has %d", path,
			       (long long)st.st_size, KEYS_SIZE);
	return 0;
}

static int keys_read(const char *path, struct buf *to, struct err *e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc;

	if (fd < 0)
		return err_sys(e, "open '%s'", path);
	if (keys_check(fd, path, e))
		return -1;
	rc = io_read_all(fd, to, KEYS_SIZE);
	errno = -rc;
	if (rc)
		return err_sys(e, "read '%s'", path);
	return to->size == KEYS_SIZE ? 0 : err_set(e, ERR_INVALID, "'%s' is being written", path);
}

static int keys_master(int dir, struct buf *to, struct err *e)
{
	autoclose int fd = io_open_below(dir, KEYS_MASTER, O_RDONLY, 0);
	uint8_t bytes[KEYS_SIZE];
	int rc;

	if (fd == -ENOENT) {
		rand_bytes(bytes, sizeof(bytes));
		buf_add(to, bytes, sizeof(bytes));
		OPENSSL_cleanse(bytes, sizeof(bytes));
		return io_replace(dir, KEYS_MASTER, to->data, to->size, 0600, e);
	}
	errno = -fd;
	if (fd < 0)
		return err_sys(e, "open secrets/" KEYS_MASTER);
	rc = io_read_all(fd, to, KEYS_SIZE);
	errno = -rc;
	if (rc)
		return err_sys(e, "read secrets/" KEYS_MASTER);
	return to->size == KEYS_SIZE
		       ? 0
		       : err_set(e, ERR_INVALID,
				 "secrets/" KEYS_MASTER " has %zu bytes, not %d: take it out of "
				 "the last backup",
				 to->size, KEYS_SIZE);
}

int secrets_keys(int dir, const struct conf *conf, struct buf *to, struct err *e)
{
	autobuf struct buf master = { .secret = true };

	if (keys_master(dir, &master, e))
		return -1;
	buf_clear(to);
	keys_line(to, "master", master.data);
	for (size_t i = 0; i < conf->n_kms_keys; i++) {
		const struct conf_kms_key *key = &conf->kms_keys[i];
		autobuf struct buf bytes = { .secret = true };
		struct err why;
		bool bad = *key->file && keys_read(key->file, &bytes, &why);

		if (bad)
			log_err("the file of a key cannot be used key=%s error=\"%s\"", key->alias,
				why.text);
		if (*key->file)
			keys_line(to, key->alias, bad ? NULL : bytes.data);
	}
	return 0;
}
