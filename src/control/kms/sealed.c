#include "control/kms/sealed.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

#define SEALED_MARK   "doze1:"
#define SEALED_NONCE  12
#define SEALED_TAG    16
#define SEALED_EXTRA  (SEALED_NONCE + SEALED_TAG)
#define SEALED_WRAP   (SEALED_EXTRA + SEALED_KEY_SIZE)
#define SEALED_DIGITS 9 /* of a version */

/* The parts of a text. */
struct sealed_parts {
	const char *wrap, *value; /* hexadecimal digits */
	size_t value_size;        /* in bytes */
};

/* Each text ends with its NUL, so that no two places read alike. */
static void sealed_about(const struct sealed_key *key, const struct sealed_place *at,
			 struct buf *to)
{
	const char *const texts[] = { "doze", at->account, at->table, at->id, at->column, key->id };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		buf_add(to, texts[i], strlen(texts[i]) + 1);
	buf_add_number(to, (uint64_t)key->version);
}

/* @to has room for SEALED_EXTRA bytes more than @size.  Only a bug or no memory makes it fail. */
static void sealed_encrypt(const uint8_t key[SEALED_KEY_SIZE], const struct buf *about,
			   const void *data, size_t size, uint8_t *to)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t *text = to + SEALED_NONCE;
	int n = 0, end = 0;

	rand_bytes(to, SEALED_NONCE);
	if (!ctx || size > INT32_MAX ||
	    EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, to) != 1 ||
	    EVP_EncryptUpdate(ctx, NULL, &n, about->data, (int)about->size) != 1 ||
	    EVP_EncryptUpdate(ctx, text, &n, data, (int)size) != 1 ||
	    EVP_EncryptFinal_ex(ctx, text + n, &end) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, SEALED_TAG, text + size) != 1)
		abort();
	EVP_CIPHER_CTX_free(ctx);
}

/* @size is that of @data, and @to has room for SEALED_EXTRA bytes less.  What does not authenticate
 * leaves nothing in @to. */
static bool sealed_decrypt(const uint8_t key[SEALED_KEY_SIZE], const struct buf *about,
			   uint8_t *data, size_t size, uint8_t *to)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	size_t plain = size - SEALED_EXTRA;
	uint8_t *text = data + SEALED_NONCE;
	int n = 0, end = 0;
	bool right;

	if (!ctx)
		abort();
	right = EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, data) == 1 &&
		EVP_DecryptUpdate(ctx, NULL, &n, about->data, (int)about->size) == 1 &&
		EVP_DecryptUpdate(ctx, to, &n, text, (int)plain) == 1 &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, SEALED_TAG, text + plain) == 1 &&
		EVP_DecryptFinal_ex(ctx, to + n, &end) == 1;
	EVP_CIPHER_CTX_free(ctx);
	if (!right)
		OPENSSL_cleanse(to, plain);
	return right;
}

static void sealed_add_hex(struct buf *to, const uint8_t *data, size_t size)
{
	char digits[3];

	buf_reserve(to, 2 * size + 1);
	for (size_t i = 0; i < size; i++) {
		hex_encode(data + i, 1, digits);
		buf_add(to, digits, 2);
	}
}

/* What follows the digits does not matter. */
static bool sealed_bytes(const char *digits, uint8_t *to, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		int high = hex_digit(digits[2 * i]);
		int low = high < 0 ? -1 : hex_digit(digits[2 * i + 1]);

		if (low < 0)
			return false;
		to[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

char *sealed_make(const struct sealed_key *key, const struct sealed_place *at, const void *data,
		  size_t size)
{
	uint8_t once[SEALED_KEY_SIZE], wrap[SEALED_WRAP];
	autofree uint8_t *value = xmalloc(size + SEALED_EXTRA);
	autobuf struct buf about = { 0 }, text = { 0 };

	sealed_about(key, at, &about);
	rand_bytes(once, sizeof(once));
	sealed_encrypt(key->bytes, &about, once, sizeof(once), wrap);
	sealed_encrypt(once, &about, data, size, value);
	OPENSSL_cleanse(once, sizeof(once));
	buf_addf(&text, SEALED_MARK "%s:%lld:", key->id, (long long)key->version);
	sealed_add_hex(&text, wrap, sizeof(wrap));
	buf_adds(&text, ":");
	sealed_add_hex(&text, value, size + SEALED_EXTRA);
	return xstrdup(buf_str(&text));
}

/* Digits without a sign or a zero before them. */
static const char *sealed_read_version(const char *at, int64_t *to)
{
	size_t digits = strspn(at, "0123456789");

	if (!digits || digits > SEALED_DIGITS || *at == '0' || at[digits] != ':')
		return NULL;
	*to = strtoll(at, NULL, 10);
	return at + digits + 1;
}

static int sealed_read(const char *text, struct sealed_key *key, struct sealed_parts *parts,
		       struct err *e)
{
	size_t size = strnlen(text, SEALED_MAX + 1), mark = strlen(SEALED_MARK);
	const char *at = text + mark;
	size_t digits;

	*key = (struct sealed_key){ .version = 0 };
	if (size > SEALED_MAX || size < mark + UUID_SIZE || strncmp(text, SEALED_MARK, mark) != 0 ||
	    at[UUID_SIZE - 1] != ':')
		return err_set(e, ERR_INTERNAL, "it is no sealed value");
	memcpy(key->id, at, UUID_SIZE - 1);
	at = uuid_valid(key->id) ? sealed_read_version(at + UUID_SIZE, &key->version) : NULL;
	if (!at || strcspn(at, ":") != 2 * SEALED_WRAP || !at[2 * SEALED_WRAP])
		return err_set(e, ERR_INTERNAL, "it is no sealed value");
	parts->wrap = at;
	parts->value = at + 2 * SEALED_WRAP + 1;
	digits = strlen(parts->value);
	parts->value_size = digits / 2;
	if (digits % 2 || parts->value_size < SEALED_EXTRA)
		return err_set(e, ERR_INTERNAL, "it is no sealed value");
	return 0;
}

int sealed_read_key(const char *text, struct sealed_key *key, struct err *e)
{
	struct sealed_parts parts;

	return sealed_read(text, key, &parts, e);
}

int sealed_open(const char *text, const struct sealed_key *key, const struct sealed_place *at,
		struct buf *to, struct err *e)
{
	uint8_t once[SEALED_KEY_SIZE], wrap[SEALED_WRAP];
	autobuf struct buf about = { 0 };
	autofree uint8_t *value = NULL;
	struct sealed_parts parts;
	struct sealed_key named;
	bool right;

	if (sealed_read(text, &named, &parts, e))
		return -1;
	if (strcmp(named.id, key->id) != 0 || named.version != key->version)
		return err_set(e, ERR_INTERNAL, "it was sealed with another key");
	value = xmalloc(parts.value_size);
	if (!sealed_bytes(parts.wrap, wrap, sizeof(wrap)) ||
	    !sealed_bytes(parts.value, value, parts.value_size))
		return err_set(e, ERR_INTERNAL, "it is no sealed value");
	sealed_about(key, at, &about);
	buf_reserve(to, parts.value_size);
	right = sealed_decrypt(key->bytes, &about, wrap, sizeof(wrap), once) &&
		sealed_decrypt(once, &about, value, parts.value_size, to->data + to->size);
	OPENSSL_cleanse(once, sizeof(once));
	if (!right)
		return err_set(e, ERR_INTERNAL,
			       "it was changed, belongs to another row, or its key is another one");
	to->size += parts.value_size - SEALED_EXTRA;
	return 0;
}
