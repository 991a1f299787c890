#include "objects/receive.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"

#define RECEIVE_EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* clang-format off */
static const struct { const char *payload; bool signed_, trailing; } receive_framings[] = {
	{ "STREAMING-UNSIGNED-PAYLOAD-TRAILER", false, true },
	{ "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", true, false },
	{ "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", true, true },
};
/* clang-format on */

static int receive_bad(struct err *e, const char *text)
{
	return err_set(e, ERR_INVALID, "%s", text);
}

static EVP_MD_CTX *receive_hash(const EVP_MD *md)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	if (!c || EVP_DigestInit_ex(c, md, NULL) != 1)
		abort();
	return c;
}

static void receive_hex(EVP_MD_CTX *c, char *out)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned size;

	EVP_DigestFinal_ex(c, hash, &size);
	hex_encode(hash, size, out);
}

static void receive_sign_key(struct receive *r, const struct sigv4_claim *claim, const char *secret)
{
	sigv4_derive(secret, claim->date, claim->region, claim->service, r->key);
	sigv4_amz_date(claim->at_ms, r->date);
	snprintf(r->scope, sizeof(r->scope), "%s/%s/%s/aws4_request", claim->date, claim->region,
		 claim->service);
	memcpy(r->signature, claim->signature, sizeof(r->signature));
}

/* Checks the signature over the hash of a chunk, which is chained to the last signature. */
static int receive_check_signature(struct receive *r, const char *kind, const char *middle,
				   const char *hash, const char *claimed, struct err *e)
{
	autobuf struct buf text = { 0 };
	char hex[65];

	buf_addf(&text, "%s\n%s\n%s\n%s\n%s%s", kind, r->date, r->scope, r->signature, middle,
		 hash);
	sigv4_sign_text(r->key, &text, hex);
	if (strlen(claimed) != 64 || CRYPTO_memcmp(hex, claimed, 64))
		return err_set(e, ERR_DENIED,
			       "SignatureDoesNotMatch: The signature of a chunk does "
			       "not match its bytes.");
	memcpy(r->signature, hex, sizeof(hex));
	return 0;
}

static int receive_framing(struct receive *r, const struct http_head *head,
			   const struct sigv4_claim *claim, struct err *e)
{
	const char *decoded = http_header(head, "x-amz-decoded-content-length");

	r->length = head->chunked || head->length >= 0 ? head->length : 0;
	for (size_t i = 0; i < ARRAY_SIZE(receive_framings); i++) {
		if (strcmp(claim->payload, receive_framings[i].payload) != 0)
			continue;
		r->chunked = true;
		r->chunk_signed = receive_framings[i].signed_;
		r->trailing = receive_framings[i].trailing;
		if (!decoded || !*decoded || strlen(decoded) > 15 ||
		    strspn(decoded, "0123456789") != strlen(decoded))
			return receive_bad(e, "MissingContentLength: You must provide the "
					      "x-amz-decoded-content-length HTTP header.");
		r->length = strtoll(decoded, NULL, 10);
		return 0;
	}
	if (!strncmp(claim->payload, "STREAMING-", 10))
		return receive_bad(e, "NotImplemented: This form of x-amz-content-sha256 is not "
				      "implemented.");
	if (strlen(claim->payload) == 64)
		memcpy(r->payload_hash, claim->payload, 65);
	return 0;
}

static int receive_sums(struct receive *r, const struct http_head *head, struct err *e)
{
	const char *md5 = http_header(head, "content-md5");
	const char *trailer = http_header(head, "x-amz-trailer");
	uint8_t raw[S3_SUM_BYTES];

	if (md5 && !s3_unbase64(md5, raw, 16))
		return receive_bad(e, "InvalidDigest: The Content-MD5 you specified is not valid.");
	if (md5)
		memcpy(r->md5_want, md5, sizeof(r->md5_want));
	for (int i = 1; i < S3_SUM_NUM; i++) {
		const char *value = http_header(head, s3_sum_rows[i].header);

		if (!value)
			continue;
		if (r->sum_claimed || !s3_unbase64(value, raw, s3_sum_rows[i].size))
			return receive_bad(e, "InvalidRequest: Expecting a single x-amz-checksum- "
					      "header with a valid value.");
		r->sum_kind = (enum s3_sum_kind)i;
		r->sum_claimed = true;
		snprintf(r->sum_want, sizeof(r->sum_want), "%s", value);
	}
	if (!r->trailing || !trailer)
		return 0;
	if (r->sum_claimed || !s3_sum_by_header(trailer))
		return receive_bad(e, "InvalidRequest: The value specified in the x-amz-trailer "
				      "header is not supported.");
	r->sum_kind = s3_sum_by_header(trailer);
	r->sum_claimed = true;
	return 0;
}

int receive_begin(struct receive *r, const struct http_head *head, const struct sigv4_claim *claim,
		  const char *secret, struct err *e)
{
	bool draft = r->draft != NULL;

	if (receive_framing(r, head, claim, e) || (!r->unsummed && receive_sums(r, head, e)))
		return -1;
	if (draft && r->length < 0)
		return receive_bad(e, "MissingContentLength: You must provide the Content-Length "
				      "HTTP header.");
	if (r->length > (int64_t)(draft ? LIMIT_S3_OBJECT : LIMIT_S3_XML_BODY))
		return receive_bad(e, "EntityTooLarge: Your proposed upload exceeds the maximum "
				      "allowed size.");
	if (r->chunk_signed)
		receive_sign_key(r, claim, secret);
	if (r->chunk_signed || r->payload_hash[0])
		r->sha256 = receive_hash(EVP_sha256());
	r->md5 = receive_hash(EVP_md5());
	r->sum = s3_sum_new(r->sum_kind);
	return 0;
}

static int receive_payload(struct receive *r, const uint8_t *data, size_t size, struct err *e)
{
	if (!size)
		return 0;
	r->got += size;
	if (r->length >= 0 && r->got > (uint64_t)r->length)
		return receive_bad(e, "IncompleteBody: The request body is longer than it says.");
	if (!r->draft && r->got > LIMIT_S3_XML_BODY)
		return receive_bad(e, "EntityTooLarge: The document is too long.");
	if (r->sha256)
		EVP_DigestUpdate(r->sha256, data, size);
	EVP_DigestUpdate(r->md5, data, size);
	s3_sum_add(r->sum, data, size);
	if (r->draft)
		return draft_take(r->draft, data, size, e);
	buf_add(&r->body, data, size);
	return 0;
}

static int receive_chunk_done(struct receive *r, struct err *e)
{
	char hash[65];

	if (!r->chunk_signed)
		return 0;
	receive_hex(r->sha256, hash);
	EVP_DigestInit_ex(r->sha256, EVP_sha256(), NULL);
	return receive_check_signature(r, "AWS4-HMAC-SHA256-PAYLOAD", RECEIVE_EMPTY_SHA256 "\n",
				       hash, r->chunks.signature, e);
}

static int receive_trailers(struct receive *r, struct err *e)
{
	const char *header = s3_sum_rows[r->sum_kind].header;
	char hash[65];

	r->ended = true;
	if (r->chunk_signed && r->trailing) {
		sha256_hex(r->chunks.trailers, strlen(r->chunks.trailers), hash);
		if (receive_check_signature(r, "AWS4-HMAC-SHA256-TRAILER", "", hash,
					    r->chunks.trailer_signature, e))
			return -1;
	}
	if (!r->sum_claimed || r->sum_want[0])
		return 0;
	if (!s3_trailer(&r->chunks, header, r->sum_want, sizeof(r->sum_want)))
		return receive_bad(e, "MalformedTrailerError: The request contained trailing data "
				      "that was not well-formed.");
	return 0;
}

int receive_data(struct receive *r, const uint8_t *data, size_t size, struct err *e)
{
	size_t used, n;
	const uint8_t *piece;

	if (!r->chunked)
		return receive_payload(r, data, size, e);
	for (;;) {
		enum s3_chunk_event event =
			s3_chunks_next(&r->chunks, data, size, &used, &piece, &n);
		int rc = 0;

		data += used;
		size -= used;
		if (event == S3_CHUNK_DATA)
			rc = receive_payload(r, piece, n, e);
		else if (event == S3_CHUNK_DONE)
			rc = receive_chunk_done(r, e);
		else if (event == S3_CHUNK_END)
			rc = receive_trailers(r, e);
		else if (event == S3_CHUNK_BAD)
			rc = receive_bad(e, "InvalidRequest: The body is not well-formed "
					    "aws-chunked.");
		else
			return 0;
		if (rc)
			return rc;
	}
}

int receive_end(struct receive *r, struct err *e)
{
	uint8_t raw[S3_SUM_BYTES], md5[16];
	char hash[65], md5_text[25];

	if ((r->chunked && !r->ended) || (r->length >= 0 && r->got != (uint64_t)r->length))
		return receive_bad(e, "IncompleteBody: You did not provide the number of bytes "
				      "specified by the length header.");
	if (r->payload_hash[0]) {
		receive_hex(r->sha256, hash);
		if (strcasecmp(hash, r->payload_hash) != 0)
			return receive_bad(e, "XAmzContentSHA256Mismatch: The provided "
					      "'x-amz-content-sha256' header does not match what "
					      "was computed.");
	}
	EVP_DigestFinal_ex(r->md5, md5, NULL);
	hex_encode(md5, sizeof(md5), r->md5_hex);
	s3_base64(md5, 16, md5_text);
	if (r->md5_want[0] && strcmp(md5_text, r->md5_want) != 0)
		return receive_bad(e, "BadDigest: The Content-MD5 you specified did not match what "
				      "we received.");
	s3_sum_free(r->sum, raw);
	r->sum = NULL;
	s3_base64(raw, s3_sum_rows[r->sum_kind].size, r->sum_text);
	if (r->sum_claimed && strcmp(r->sum_text, r->sum_want) != 0)
		return err_set(e, ERR_INVALID,
			       "BadDigest: The %s you specified did not match the calculated "
			       "checksum.",
			       s3_sum_rows[r->sum_kind].name);
	return 0;
}

void receive_free(struct receive *r)
{
	EVP_MD_CTX_free(r->sha256);
	EVP_MD_CTX_free(r->md5);
	s3_sum_free(r->sum, NULL);
	buf_free(&r->body);
	OPENSSL_cleanse(r->key, sizeof(r->key));
	*r = (struct receive){ 0 };
}
