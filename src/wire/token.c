#include "wire/token.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#define NONCE_SIZE 12
#define TAG_SIZE   16

/* The service's own tokens have about these sizes.  Ours are padded to them, so that a buffer sized
 * for one fits the other. */
#define FILL_PORTS 512
#define FILL_ALL   468

enum part { PART_HEADER, PART_KEY, PART_NONCE, PART_CLAIMS, PART_TAG, PART_NUM };

struct part_view {
	const char *at;
	size_t size;
};

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

static void base64url_add(struct buf *out, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i += 3) {
		size_t n = size - i < 3 ? size - i : 3;
		uint32_t bits = (uint32_t)data[i] << 16;
		char text[4];

		if (n > 1)
			bits |= (uint32_t)data[i + 1] << 8;
		if (n > 2)
			bits |= data[i + 2];
		for (size_t j = 0; j <= n; j++)
			text[j] = digits[bits >> (18 - 6 * j) & 63];
		buf_add(out, text, n + 1);
	}
}

/* Decode strictly: no padding, no other characters, and zero in the unused bits of the last digit,
 * so that every value has one spelling.  Returns the size, or -1. */
static long base64url_read(const struct part_view *from, uint8_t *to, size_t room)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	for (size_t i = 0; i < from->size; i++) {
		int value = digit_value(from->at[i]);

		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (n == room)
			return -1;
		to[n++] = (uint8_t)(bits >> have);
		bits &= (1U << have) - 1;
	}
	return have == 6 || bits ? -1 : (long)n;
}

static int token_keys_take(struct token_keys *keys, const char *kid, const json_t *value)
{
	struct part_view text = { json_string_value(value), json_string_length(value) };
	size_t size = strlen(kid);

	/* The name is written into a token's header unescaped. */
	if (keys->n == TOKEN_MAX_KEYS || !text.at || !size || size >= sizeof(keys->keys[0].kid) ||
	    strspn(kid, digits) != size)
		return -1;
	if (base64url_read(&text, keys->keys[keys->n].key, 32) != 32)
		return -1;
	memcpy(keys->keys[keys->n++].kid, kid, size + 1);
	return 0;
}

static int token_keys_fill(struct token_keys *keys, json_t *root)
{
	const char *current = json_string_value(json_object_get(root, "current"));
	json_t *all = json_object_get(root, "keys"), *value;
	const char *kid;

	json_object_foreach(all, kid, value)
	{
		if (token_keys_take(keys, kid, value))
			return -1;
	}
	for (; current && keys->current < keys->n; keys->current++)
		if (!strcmp(keys->keys[keys->current].kid, current))
			return 0;
	return -1;
}

int token_keys_parse(const char *json, size_t size, struct token_keys *keys, struct err *e)
{
	json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL);
	int rc;

	*keys = (struct token_keys){ 0 };
	rc = token_keys_fill(keys, root);
	json_decref(root);
	if (!rc)
		return 0;
	OPENSSL_cleanse(keys, sizeof(*keys));
	return err_set(e, ERR_INTERNAL,
		       "the token keys must be {\"current\": kid, \"keys\": {kid: 32 bytes in "
		       "base64url}} with at most %d keys",
		       TOKEN_MAX_KEYS);
}

char *token_claims_text(const struct token_claims *claims)
{
	json_t *ports = json_array();
	json_t *root = json_pack("{s:s, s:I, s:b, s:b, s:o}", "microvm", claims->microvm, "expires",
				 (json_int_t)claims->expires_ms, "shell", claims->shell, "all",
				 claims->all_ports, "ports", ports);
	char *text;

	assert(root && claims->n_ranges <= TOKEN_MAX_RANGES);
	for (size_t i = 0; i < claims->n_ranges; i++)
		json_array_append_new(ports, json_pack("[i, i]", claims->ranges[i].first,
						       claims->ranges[i].last));
	text = json_dumps(root, JSON_COMPACT);
	assert(text);
	json_decref(root);
	return text;
}

/* Abort on a failure that only a lack of memory or a bug of ours can cause. */
static void evp_must(bool good)
{
	if (!good)
		abort();
}

static void claims_seal(const uint8_t key[32], const uint8_t nonce[NONCE_SIZE],
			const struct buf *header, struct buf *claims, uint8_t tag[TAG_SIZE])
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n, size = (int)claims->size;

	evp_must(c && EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce) == 1);
	evp_must(EVP_EncryptUpdate(c, NULL, &n, header->data, (int)header->size) == 1);
	evp_must(EVP_EncryptUpdate(c, claims->data, &n, claims->data, size) == 1 && n == size);
	evp_must(EVP_EncryptFinal_ex(c, claims->data + n, &n) == 1 && !n);
	evp_must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, tag) == 1);
	EVP_CIPHER_CTX_free(c);
}

void token_mint(const struct token_keys *keys, const struct token_claims *claims,
		const uint8_t nonce[12], struct buf *out)
{
	size_t fill = claims->all_ports || claims->shell ? FILL_ALL : FILL_PORTS;
	autobuf struct buf header = { 0 }, head64 = { 0 }, text = { 0 };
	char *json = token_claims_text(claims);
	uint8_t tag[TAG_SIZE];

	buf_addf(&header, "{\"kid\":\"%s\",\"alg\":\"dir\",\"enc\":\"A256GCM\"}",
		 keys->keys[keys->current].kid);
	base64url_add(&head64, header.data, header.size);
	buf_adds(&text, json);
	free(json);
	while (text.size < fill)
		buf_adds(&text, " ");
	claims_seal(keys->keys[keys->current].key, nonce, &head64, &text, tag);

	buf_add(out, head64.data, head64.size);
	buf_adds(out, "..");
	base64url_add(out, nonce, NONCE_SIZE);
	buf_adds(out, ".");
	base64url_add(out, text.data, text.size);
	buf_adds(out, ".");
	base64url_add(out, tag, TAG_SIZE);
}

static bool token_split(const char *text, struct part_view parts[PART_NUM])
{
	size_t n = 0;

	for (;; n++) {
		size_t size = strcspn(text, ".");

		if (n == PART_NUM)
			return false;
		parts[n] = (struct part_view){ text, size };
		if (!text[size])
			return n + 1 == PART_NUM && !parts[PART_KEY].size;
		text += size + 1;
	}
}

/* Find the key that the header names; it is NULL if it is none of ours.  Returns -1 if the header
 * has another form. */
static int header_read(const struct token_keys *keys, const struct part_view *part,
		       const uint8_t **key)
{
	const char *kid, *alg, *enc;
	uint8_t text[256];
	long size = base64url_read(part, text, sizeof(text));
	json_t *root;
	int rc;

	if (size <= 0)
		return -1;
	root = json_loadb((const char *)text, (size_t)size, JSON_REJECT_DUPLICATES, NULL);
	rc = json_unpack(root, "{s:s, s:s, s:s !}", "kid", &kid, "alg", &alg, "enc", &enc);
	if (!rc && (strcmp(alg, "dir") != 0 || strcmp(enc, "A256GCM") != 0))
		rc = -1;
	*key = NULL;
	for (size_t i = 0; !rc && i < keys->n; i++)
		if (!strcmp(keys->keys[i].kid, kid))
			*key = keys->keys[i].key;
	json_decref(root);
	return rc;
}

struct sealed {
	struct part_view header;
	const uint8_t *key; /* borrowed; NULL: unknown */
	uint8_t nonce[NONCE_SIZE], tag[TAG_SIZE];
	uint8_t claims[TOKEN_TEXT_MAX];
	int size;
};

static int sealed_read(const struct token_keys *keys, const char *text, struct sealed *s)
{
	struct part_view parts[PART_NUM];

	if (strlen(text) > TOKEN_TEXT_MAX || !token_split(text, parts))
		return -1;
	s->header = parts[PART_HEADER];
	s->size = (int)base64url_read(&parts[PART_CLAIMS], s->claims, sizeof(s->claims));
	if (s->size <= 0 ||
	    base64url_read(&parts[PART_NONCE], s->nonce, sizeof(s->nonce)) != NONCE_SIZE ||
	    base64url_read(&parts[PART_TAG], s->tag, sizeof(s->tag)) != TAG_SIZE)
		return -1;
	return header_read(keys, &s->header, &s->key);
}

static bool sealed_open(struct sealed *s)
{
	const uint8_t *aad = (const uint8_t *)s->header.at;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	bool good;
	int n;

	evp_must(c && EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, s->key, s->nonce) == 1);
	evp_must(EVP_DecryptUpdate(c, NULL, &n, aad, (int)s->header.size) == 1);
	evp_must(EVP_DecryptUpdate(c, s->claims, &n, s->claims, s->size) == 1 && n == s->size);
	evp_must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, s->tag) == 1);
	good = EVP_DecryptFinal_ex(c, s->claims + n, &n) == 1;
	EVP_CIPHER_CTX_free(c);
	return good;
}

static bool ranges_read(const json_t *ports, struct token_claims *claims)
{
	size_t n = json_array_size(ports);

	if (!json_is_array(ports) || n > TOKEN_MAX_RANGES)
		return false;
	for (size_t i = 0; i < n; i++) {
		int first, last;

		if (json_unpack(json_array_get(ports, i), "[i, i !]", &first, &last) || first < 0 ||
		    last < first || last > UINT16_MAX)
			return false;
		claims->ranges[i].first = (uint16_t)first;
		claims->ranges[i].last = (uint16_t)last;
	}
	claims->n_ranges = n;
	return true;
}

bool token_claims_read(const char *text, size_t size, struct token_claims *claims)
{
	json_t *root = json_loadb(text, size, 0, NULL), *ports;
	json_int_t expires;
	const char *microvm;
	int shell, all;
	bool good = !json_unpack(root, "{s:s, s:I, s:b, s:b, s:o}", "microvm", &microvm, "expires",
				 &expires, "shell", &shell, "all", &all, "ports", &ports) &&
		    strlen(microvm) < sizeof(claims->microvm) && ranges_read(ports, claims);

	if (good) {
		memcpy(claims->microvm, microvm, strlen(microvm) + 1);
		claims->expires_ms = expires;
		claims->shell = shell;
		claims->all_ports = all;
	}
	json_decref(root);
	return good;
}

int token_open(const struct token_keys *keys, const char *text, struct token_claims *claims,
	       struct err *e)
{
	struct sealed s;

	*claims = (struct token_claims){ 0 };
	if (sealed_read(keys, text, &s))
		return err_set(e, ERR_INVALID, "this is no token");
	if (!s.key)
		return err_set(e, ERR_DENIED, "the token is sealed with a key that is not ours");
	if (!sealed_open(&s))
		return err_set(e, ERR_DENIED, "the token was changed, or sealed with another key");
	if (!token_claims_read((const char *)s.claims, (size_t)s.size, claims))
		return err_set(e, ERR_DENIED, "the token's claims are not of this release");
	return 0;
}

bool token_allows(const struct token_claims *claims, uint16_t port)
{
	if (claims->all_ports)
		return true;
	for (size_t i = 0; i < claims->n_ranges; i++)
		if (port >= claims->ranges[i].first && port <= claims->ranges[i].last)
			return true;
	return false;
}
