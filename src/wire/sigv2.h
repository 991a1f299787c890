/* sigv2.h - verifies presigned URLs of S3's Signature Version 2, which older clients make when they
 * are not told to use another.  Pure: the time is an argument.
 *
 * Only the query form is read, because clients sign headers by Version 4. */
#ifndef WIRE_SIGV2_H
#define WIRE_SIGV2_H

#include "base/err.h"
#include "wire/http_head.h"

struct sigv2_claim {
	char access_key[129];
	char signature[65]; /* base64 of HMAC-SHA1 */
	int64_t expires_s;  /* since 1970 */
};

/* Tells whether the target carries a signature of this version. */
bool sigv2_is(const char *target);

/* Read the claim.  ERR_DENIED ("AccessDenied: ...") if a part is missing or malformed. */
int sigv2_read(const struct http_head *head, struct sigv2_claim *claim, struct err *e) must_check;

/* Check a claim.  @bucket is the one that the host names, "" if the path names it.  @secret is NULL
 * if the access key is unknown.  On ERR_DENIED the text begins with the code to answer:
 * SignatureDoesNotMatch, InvalidClientTokenId, or AccessDenied (expired). */
int sigv2_verify(const struct http_head *head, const struct sigv2_claim *claim, const char *secret,
		 const char *bucket, int64_t now_ms, struct err *e) must_check;

#endif
