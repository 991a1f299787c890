/* sigv4.h - verifies and makes AWS Signatures Version 4.  Pure: the time is an argument.
 *
 * It covers the Authorization header and the query form (presigned URLs), the client's choice of
 * SignedHeaders, and paths encoded once (S3) or twice (lambda, sts).  The payload may be a hash,
 * UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, or a signed stream, whose first signature
 * is checked here.  Signatures are compared in constant time. */
#ifndef WIRE_SIGV4_H
#define WIRE_SIGV4_H

#include "base/err.h"
#include "wire/http_head.h"

#define SIGV4_SESSION_SIZE 513

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
	/* X-Amz-Security-Token as sent, "" if absent; one that is too long is cut, and is none of
	 * ours. */
	char session[SIGV4_SESSION_SIZE];
};

/* Read the claim of a request.  ERR_DENIED if the request is not signed
 * ("MissingAuthenticationToken: ..."), its claim is malformed ("IncompleteSignature: ..."), or an
 * x-amz-* header is not signed ("AccessDenied: ..."). */
int sigv4_read(const struct http_head *head, struct sigv4_claim *claim, struct err *e) must_check;

/* Check a claim.  @body_sha256 is the hex hash of the body if the caller has all of it; it must
 * then equal the payload hash that the client states.  NULL accepts the client's `payload` as it
 * is.
 * @double_encode is true for all services except S3.  @secret is NULL if the access key is unknown.
 * On ERR_DENIED the text begins with the code to answer: SignatureDoesNotMatch,
 * RequestTimeTooSkewed, InvalidClientTokenId, XAmzContentSHA256Mismatch, or AccessDenied (expired).
 * Region, service and session are not checked. */
int sigv4_verify(const struct http_head *head, const struct sigv4_claim *claim, const char *secret,
		 const char *body_sha256, bool double_encode, int64_t now_ms,
		 struct err *e) must_check;

/* Sign a request of our own CLI.  @target is encoded as it will be sent; @payload_hash is hex or
 * "UNSIGNED-PAYLOAD".  Returns the values of the headers x-amz-date and authorization.  The
 * signature covers host, x-amz-date and x-amz-content-sha256 (= @payload_hash), so the request must
 * send all three. */
struct sigv4_key {
	const char *access_key, *secret, *region, *service;
};
void sigv4_sign(const char *method, const char *target, const char *host, const char *payload_hash,
		const struct sigv4_key *key, bool double_encode, int64_t now_ms, char date[17],
		struct buf *authorization);

/* The steps of a signature, for bodies that are signed piece by piece (S3's chunks). */
#define SIGV4_KEY_SIZE 32
/* Derive the key of one day, region and service.  Only the "yyyymmdd" of @date is read. */
void sigv4_derive(const char *secret, const char *date, const char *region, const char *service,
		  uint8_t key[SIGV4_KEY_SIZE]);
void sigv4_sign_text(const uint8_t key[SIGV4_KEY_SIZE], const struct buf *text, char signature[65]);
void sigv4_amz_date(int64_t at_ms, char out[17]); /* "yyyymmddThhmmssZ" */

void sha256_hex(const void *data, size_t size, char out[65]);

#endif
