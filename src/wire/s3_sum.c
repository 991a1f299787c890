/* s3_sum.c - the checksums that S3's clients send along. */

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/crc32c.h"
#include "wire/s3.h"

/* clang-format off */
const struct s3_sum_row s3_sum_rows[S3_SUM_NUM] = {
	[S3_SUM_NONE]      = { "", "", "", 0 },
	[S3_SUM_CRC32]     = { "CRC32", "x-amz-checksum-crc32", "ChecksumCRC32", 4 },
	[S3_SUM_CRC32C]    = { "CRC32C", "x-amz-checksum-crc32c", "ChecksumCRC32C", 4 },
	[S3_SUM_CRC64NVME] = { "CRC64NVME", "x-amz-checksum-crc64nvme", "ChecksumCRC64NVME", 8 },
	[S3_SUM_SHA1]      = { "SHA1", "x-amz-checksum-sha1", "ChecksumSHA1", 20 },
	[S3_SUM_SHA256]    = { "SHA256", "x-amz-checksum-sha256", "ChecksumSHA256", 32 },
};

/* Reflected polynomials; these CRCs begin and end inverted. */
static const uint64_t s3_polynomials[S3_SUM_NUM] = {
	[S3_SUM_CRC32]     = 0xedb88320,
	[S3_SUM_CRC64NVME] = 0x9a6c9329ac4bc9b5,
};
/* clang-format on */

struct s3_sum {
	enum s3_sum_kind kind;
	uint64_t crc; /* inverted until the end */
	EVP_MD_CTX *hash;
};

static uint64_t s3_crc_table[S3_SUM_NUM][8][256];

/* Table k advances a byte by k more bytes, so that eight bytes are taken at once. */
static void s3_crc_prepare(enum s3_sum_kind kind)
{
	uint64_t(*t)[256] = s3_crc_table[kind];

	if (t[0][1])
		return;
	for (unsigned i = 0; i < 256; i++) {
		uint64_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? s3_polynomials[kind] : 0);
		t[0][i] = crc;
	}
	for (unsigned k = 1; k < 8; k++)
		for (unsigned i = 0; i < 256; i++)
			t[k][i] = t[k - 1][i] >> 8 ^ t[0][t[k - 1][i] & 0xff];
}

static uint64_t s3_crc_add(enum s3_sum_kind kind, uint64_t crc, const uint8_t *data, size_t size)
{
	uint64_t(*t)[256] = s3_crc_table[kind];

	for (; size >= 8; data += 8, size -= 8) {
		uint64_t next = 0;

		for (unsigned k = 0; k < 8; k++)
			next ^= t[7 - k][data[k] ^ (crc >> 8 * k & 0xff)];
		crc = next;
	}
	for (; size; data++, size--)
		crc = crc >> 8 ^ t[0][(crc ^ *data) & 0xff];
	return crc;
}

enum s3_sum_kind s3_sum_by_name(const char *name)
{
	for (int i = 1; i < S3_SUM_NUM; i++)
		if (!strcasecmp(s3_sum_rows[i].name, name))
			return (enum s3_sum_kind)i;
	return S3_SUM_NONE;
}

enum s3_sum_kind s3_sum_by_header(const char *header)
{
	for (int i = 1; i < S3_SUM_NUM; i++)
		if (!strcmp(s3_sum_rows[i].header, header))
			return (enum s3_sum_kind)i;
	return S3_SUM_NONE;
}

struct s3_sum *s3_sum_new(enum s3_sum_kind kind)
{
	struct s3_sum *s = xcalloc(1, sizeof(*s));
	const EVP_MD *md = kind == S3_SUM_SHA1 ? EVP_sha1() : EVP_sha256();

	s->kind = kind;
	s->crc = kind == S3_SUM_CRC64NVME ? UINT64_MAX : UINT32_MAX;
	if (s3_polynomials[kind]) {
		s3_crc_prepare(kind);
	} else if (kind == S3_SUM_SHA1 || kind == S3_SUM_SHA256) {
		s->hash = EVP_MD_CTX_new();
		if (!s->hash || EVP_DigestInit_ex(s->hash, md, NULL) != 1)
			abort();
	}
	return s;
}

void s3_sum_add(struct s3_sum *s, const void *data, size_t size)
{
	if (s->hash)
		EVP_DigestUpdate(s->hash, data, size);
	else if (s->kind == S3_SUM_CRC32C)
		s->crc = ~crc32c_more(~(uint32_t)s->crc, data, size);
	else if (s->kind != S3_SUM_NONE)
		s->crc = s3_crc_add(s->kind, s->crc, data, size);
}

void s3_sum_free(struct s3_sum *s, uint8_t out[S3_SUM_BYTES])
{
	if (!s)
		return;
	if (out && s->hash) {
		EVP_DigestFinal_ex(s->hash, out, NULL);
	} else if (out) {
		size_t size = s3_sum_rows[s->kind].size;

		for (size_t i = 0; i < size; i++)
			out[i] = (uint8_t)(~s->crc >> 8 * (size - 1 - i));
	}
	EVP_MD_CTX_free(s->hash);
	free(s);
}

void s3_base64(const uint8_t *data, size_t size, char *out)
{
	EVP_EncodeBlock((unsigned char *)out, data, (int)size);
}

bool s3_unbase64(const char *text, uint8_t *out, size_t size)
{
	uint8_t raw[96];
	char again[129];
	size_t chars = (size + 2) / 3 * 4;

	if (chars >= sizeof(again) || strlen(text) != chars)
		return false;
	if (EVP_DecodeBlock(raw, (const unsigned char *)text, (int)chars) < (int)size)
		return false;
	s3_base64(raw, size, again);
	if (strcmp(again, text) != 0)
		return false;
	memcpy(out, raw, size);
	return true;
}
