#include "control/kms/master.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/hex.h"
#include "conf/conf.h"

#define MASTER_WRAP "doze kms wrap 1"
#define MASTER_CODE "doze kms code 1"

struct master_file {
	char alias[CONF_TEXT];
	bool usable;
	uint8_t bytes[SEALED_KEY_SIZE];
};

struct master {
	bool there;
	uint8_t bytes[SEALED_KEY_SIZE];
	struct master_file files[CONF_KMS_KEYS];
	size_t n_files;
};

struct master *master_new(void)
{
	struct master *m =
		mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED || madvise(m, sizeof(*m), MADV_DONTDUMP))
		abort();
	mlock(m, sizeof(*m)); /* a host that allows no locked memory may swap it */
	return m;
}

void master_free(struct master *m)
{
	OPENSSL_cleanse(m, sizeof(*m));
	munmap(m, sizeof(*m));
}

/* A line "NAME VALUE": 64 digits, or "-" where there is a file that cannot be used. */
static int master_line(struct master *m, const char *line, size_t size, struct err *e)
{
	size_t name = strcspn(line, " \n");
	char digits[2 * SEALED_KEY_SIZE + 1] = "";
	struct master_file *file = &m->files[m->n_files];
	uint8_t *to = m->bytes;
	bool usable;

	if (name >= size || size - name - 1 >= sizeof(digits) || name >= sizeof(file->alias))
		return err_set(e, ERR_INVALID, "the secrets of the keys cannot be read");
	memcpy(digits, line + name + 1, size - name - 1);
	if (name != strlen("master") || memcmp(line, "master", name) != 0) {
		if (m->n_files == ARRAY_SIZE(m->files))
			return err_set(e, ERR_INVALID, "the secrets of the keys cannot be read");
		memcpy(file->alias, line, name);
		file->alias[name] = '\0';
		to = file->bytes;
		m->n_files++;
	}
	usable = hex_decode(digits, to, SEALED_KEY_SIZE);
	OPENSSL_cleanse(digits, sizeof(digits));
	if (to == m->bytes)
		m->there = usable;
	else
		file->usable = usable;
	return 0;
}

int master_take(struct master *m, const char *text, size_t size, struct err *e)
{
	OPENSSL_cleanse(m, sizeof(*m));
	for (size_t at = 0; at < size;) {
		const char *end = memchr(text + at, '\n', size - at);
		size_t n = end ? (size_t)(end - text) - at : size - at;

		if (!end)
			return err_set(e, ERR_INVALID, "the secrets of the keys cannot be read");
		if (master_line(m, text + at, n, e))
			return -1;
		at += n + 1;
	}
	return 0;
}

static const struct master_file *master_find(const struct master *m, const char *alias)
{
	for (size_t i = 0; i < m->n_files; i++)
		if (!strcmp(m->files[i].alias, alias))
			return &m->files[i];
	return NULL;
}

static void master_mac(const struct master *m, const void *data, size_t size, uint8_t to[32])
{
	unsigned n = 0;

	if (!HMAC(EVP_sha256(), m->bytes, sizeof(m->bytes), data, size, to, &n))
		abort();
}

int master_wrapper(const struct master *m, const char *alias, uint8_t to[SEALED_KEY_SIZE],
		   struct err *e)
{
	const struct master_file *file = alias ? master_find(m, alias) : NULL;
	autobuf struct buf about = { .secret = true };

	if (!m->there)
		return err_set(e, ERR_INVALID, "this server has no master secret for keys");
	if (alias && !file)
		return err_set(e, ERR_INVALID,
			       "the configuration no longer has the file of [kms_key %s]", alias);
	if (alias && !file->usable)
		return err_set(e, ERR_INVALID,
			       "the file of [kms_key %s] cannot be used; the log says why", alias);
	buf_add(&about, MASTER_WRAP, sizeof(MASTER_WRAP));
	if (file)
		buf_add(&about, file->bytes, sizeof(file->bytes));
	master_mac(m, about.data, about.size, to);
	return 0;
}

void master_code(const struct master *m, const char *text, char hex[65])
{
	autobuf struct buf about = { .secret = true };
	uint8_t code[32];

	buf_add(&about, MASTER_CODE, sizeof(MASTER_CODE));
	buf_adds(&about, text);
	master_mac(m, about.data, about.size, code);
	hex_encode(code, sizeof(code), hex);
}
