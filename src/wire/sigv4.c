/* sigv4.c - verifies and makes signatures (AWS General Reference, SigV4).
 *
 * sigv4_read.c reads the claim. */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "base/hex.h"
#include "base/limits.h"
#include "wire/sigv4.h"
#include "wire/sigv4_canonical.h"

#define SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"

void sha256_hex(const void *data, size_t size, char out[65])
{
	uint8_t hash[SHA256_DIGEST_LENGTH];

	SHA256(data, size, hash);
	hex_encode(hash, sizeof(hash), out);
}

static void sigv4_hmac(const void *key, size_t key_size, const void *data, size_t size,
		       uint8_t out[32])
{
	unsigned length = 32;

	if (!HMAC(EVP_sha256(), key, (int)key_size, data, size, out, &length))
		abort();
}

void sigv4_derive(const char *secret, const char *date, const char *region, const char *service,
		  uint8_t key[SIGV4_KEY_SIZE])
{
	autobuf struct buf first = { 0 };

	buf_reserve(&first, strlen(secret) + 5); /* A buffer that grew would leave a copy behind. */
	buf_addf(&first, "AWS4%s", secret);
	sigv4_hmac(first.data, first.size, date, 8, key);
	OPENSSL_cleanse(first.data, first.size);
	sigv4_hmac(key, SIGV4_KEY_SIZE, region, strlen(region), key);
	sigv4_hmac(key, SIGV4_KEY_SIZE, service, strlen(service), key);
	sigv4_hmac(key, SIGV4_KEY_SIZE, "aws4_request", 12, key);
}

void sigv4_sign_text(const uint8_t key[SIGV4_KEY_SIZE], const struct buf *text, char signature[65])
{
	uint8_t mac[32];

	sigv4_hmac(key, SIGV4_KEY_SIZE, text->data, text->size, mac);
	hex_encode(mac, sizeof(mac), signature);
}

/* The hex signature of a canonical request. */
static void sigv4_signature(const char *secret, const char *amz_date, const char *region,
			    const char *service, const struct buf *canonical, char out[65])
{
	autobuf struct buf text = { 0 };
	uint8_t key[SIGV4_KEY_SIZE];
	char hash[65];

	sha256_hex(canonical->data, canonical->size, hash);
	buf_addf(&text, "AWS4-HMAC-SHA256\n%s\n%.8s/%s/%s/aws4_request\n%s", amz_date, amz_date,
		 region, service, hash);
	sigv4_derive(secret, amz_date, region, service, key);
	sigv4_sign_text(key, &text, out);
	OPENSSL_cleanse(key, sizeof(key));
}

void sigv4_amz_date(int64_t at_ms, char out[17])
{
	time_t at = (time_t)(at_ms / 1000);
	struct tm tm;

	gmtime_r(&at, &tm);
	if (!strftime(out, 17, "%Y%m%dT%H%M%SZ", &tm))
		abort();
}

static int sigv4_check_time(const struct sigv4_claim *claim, const char *amz_date, int64_t now_ms,
			    struct err *e)
{
	int64_t age_ms = now_ms - claim->at_ms;
	char now[17];

	sigv4_amz_date(now_ms, now);
	if (strncmp(claim->date, amz_date, 8) != 0)
		return err_set(e, ERR_DENIED,
			       "SignatureDoesNotMatch: Date in Credential scope does not match "
			       "YYYYMMDD of the request's date: '%s' != '%.8s'.",
			       claim->date, amz_date);
	if (age_ms < -LIMIT_SIGV4_SKEW_MS || (!claim->query_form && age_ms > LIMIT_SIGV4_SKEW_MS))
		return err_set(e, ERR_DENIED,
			       "RequestTimeTooSkewed: The difference between the request time (%s) "
			       "and the server's time (%s) is too large.",
			       amz_date, now);
	if (claim->query_form && age_ms > claim->expires_s * 1000)
		return err_set(
			e, ERR_DENIED,
			"AccessDenied: Request has expired (signed at %s for %lld seconds, it "
			"is %s).",
			amz_date, (long long)claim->expires_s, now);
	return 0;
}

/* Choose the payload line of the canonical request: the client's hash, or the body's own. */
static int sigv4_payload(const struct sigv4_claim *claim, const char *body_sha256,
			 bool double_encode, const char **payload, struct err *e)
{
	bool stated = claim->payload[0] != '\0';

	*payload = claim->payload;
	if (claim->query_form && double_encode && !strcmp(claim->payload, SIGV4_UNSIGNED))
		stated = false; /* Only S3 leaves the body out of a presigned request. */
	if (!stated && !body_sha256)
		return err_set(e, ERR_DENIED,
			       "AccessDenied: Missing required header for this request: "
			       "x-amz-content-sha256");
	if (!stated)
		*payload = body_sha256;
	else if (body_sha256 && strlen(claim->payload) == 64 &&
		 strcmp(claim->payload, body_sha256) != 0)
		return err_set(e, ERR_DENIED,
			       "XAmzContentSHA256Mismatch: The provided 'x-amz-content-sha256' "
			       "header does not match what was computed.");
	return 0;
}

/* A signature depends on all seven arguments. */
/* NOLINTNEXTLINE(readability-function-size) */
int sigv4_verify(const struct http_head *head, const struct sigv4_claim *claim, const char *secret,
		 const char *body_sha256, bool double_encode, int64_t now_ms, struct err *e)
{
	struct sigv4_request r = { .method = head->method,
				   .target = head->target,
				   .signed_headers = claim->signed_headers,
				   .head = head,
				   .double_encode = double_encode,
				   .query_form = claim->query_form };
	char amz_date[17], expected[65];

	if (!secret)
		return err_set(e, ERR_DENIED,
			       "InvalidClientTokenId: The security token included in the request "
			       "is invalid.");
	sigv4_amz_date(claim->at_ms, amz_date);
	if (sigv4_check_time(claim, amz_date, now_ms, e) ||
	    sigv4_payload(claim, body_sha256, double_encode, &r.payload, e))
		return -1;
	/* When a client leaves a reserved character bare in the path, some signers encode it once
	 * and others twice.  Accept both. */
	for (int twice = 0; twice <= (double_encode ? 1 : 0); twice++) {
		autobuf struct buf canonical = { 0 };

		r.raw_reserved_twice = twice;
		if (!sigv4_canonical(&canonical, &r))
			return err_set(e, ERR_DENIED,
				       "SignatureDoesNotMatch: more than %d query parameters.",
				       SIGV4_MAX_PARAMS);
		sigv4_signature(secret, amz_date, claim->region, claim->service, &canonical,
				expected);
		if (!CRYPTO_memcmp(expected, claim->signature, 64))
			return 0;
	}
	return err_set(e, ERR_DENIED,
		       "SignatureDoesNotMatch: The request signature we calculated does not match "
		       "the signature you provided. Check your AWS Secret Access Key and signing "
		       "method. Consult the service documentation for details.");
}

/* NOLINTNEXTLINE(readability-function-size): as above, and two answers */
void sigv4_sign(const char *method, const char *target, const char *host, const char *payload_hash,
		const struct sigv4_key *key, bool double_encode, int64_t now_ms, char date[17],
		struct buf *authorization)
{
	static const char names[] = "host;x-amz-content-sha256;x-amz-date";
	autobuf struct buf canonical = { 0 };
	struct http_head *head = xcalloc(1, sizeof(*head));
	struct sigv4_request r = { .method = method,
				   .target = target,
				   .signed_headers = names,
				   .payload = payload_hash,
				   .head = head,
				   .double_encode = double_encode };
	char signature[65];

	sigv4_amz_date(now_ms, date);
	head->headers[0] = (struct http_header){ "host", host };
	head->headers[1] = (struct http_header){ "x-amz-content-sha256", payload_hash };
	head->headers[2] = (struct http_header){ "x-amz-date", date };
	head->n_headers = 3;
	assert(sigv4_canonical(&canonical, &r)); /* our own requests have few parameters */
	sigv4_signature(key->secret, date, key->region, key->service, &canonical, signature);
	buf_addf(authorization,
		 "AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=%s, "
		 "Signature=%s",
		 key->access_key, date, key->region, key->service, names, signature);
	mem_free(&head);
}
