/* sigv4.h - AWS Signature Version 4, verified and made.  Pure: the time is an argument.
 *
 * Covers the Authorization header and the query form (presigned), SignedHeaders as the
 * client chose them, paths encoded once (S3) or twice (lambda, sts), payload hash given,
 * UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER and the signed streaming forms'
 * seed.  Signatures are compared in constant time. */
#ifndef WIRE_SIGV4_H
#define WIRE_SIGV4_H

#include "base/err.h"
#include "wire/http1.h"

struct sigv4_claim {
	char access_key[129];
	char date[9]; /* yyyymmdd */
	char region[65], service[33];
	int64_t at_ms;     /* X-Amz-Date */
	int64_t expires_s; /* query form; 0: header form */
	bool query_form;
	char signature[65];
	char payload[80]; /* x-amz-content-sha256 as sent, or "UNSIGNED-PAYLOAD" (query form); "" if
			     absent */
	char signed_headers[2048];
};

/* What the request says of itself; ERR_DENIED if it is not signed ("MissingAuthenticationToken:
 * ..."), malformed ("IncompleteSignature: ...") or leaves an x-amz-* header unsigned
 * ("AccessDenied: ..."). */
int sigv4_read(const struct http_head *head, struct sigv4_claim *claim, struct err *e) must_check;

/* Check it.  @body_sha256 is the hex hash of the body where the caller has it whole (then it must
 * be equal to a given payload hash), or NULL to take `payload` as the client states it.
 * @double_encode: true for all services but S3.  @secret NULL: the access key is unknown.
 * ERR_DENIED; the text begins with the code to answer: SignatureDoesNotMatch, RequestTimeTooSkewed,
 * InvalidClientTokenId, XAmzContentSHA256Mismatch, AccessDenied (expired).  Region, service and a
 * security token are not looked at. */
int sigv4_verify(const struct http_head *head, const struct sigv4_claim *claim, const char *secret,
		 const char *body_sha256, bool double_encode, int64_t now_ms,
		 struct err *e) must_check;

/* Sign a request of ours (the CLI).  @target is encoded as it goes out; @payload_hash is hex, or
 * "UNSIGNED-PAYLOAD".  Gives the values of the headers x-amz-date and authorization; signed are
 * host, x-amz-date and x-amz-content-sha256 (= @payload_hash), which all must be sent. */
struct sigv4_key {
	const char *access_key, *secret, *region, *service;
};
void sigv4_sign(const char *method, const char *target, const char *host, const char *payload_hash,
		const struct sigv4_key *key, bool double_encode, int64_t now_ms, char date[17],
		struct buf *authorization);

/* The parts of a signature, for what is signed piece by piece (S3's chunks). */
#define SIGV4_KEY_SIZE 32
/* The key of one day, region and service; @date is "yyyymmdd", what follows it is not read. */
void sigv4_derive(const char *secret, const char *date, const char *region, const char *service,
		  uint8_t key[SIGV4_KEY_SIZE]);
void sigv4_sign_text(const uint8_t key[SIGV4_KEY_SIZE], const struct buf *text, char signature[65]);
void sigv4_amz_date(int64_t at_ms, char out[17]); /* "yyyymmddThhmmssZ" */

void sha256_hex(const void *data, size_t size, char out[65]);

#endif
