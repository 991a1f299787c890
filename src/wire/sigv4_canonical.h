/* sigv4_canonical.h - makes the canonical request of SigV4 (AWS General Reference), both for
 * verifying and for signing. */
#ifndef WIRE_SIGV4_CANONICAL_H
#define WIRE_SIGV4_CANONICAL_H

#include "wire/http_head.h"

#define SIGV4_MAX_PARAMS 128

/* What a signature covers.  Everything is borrowed.  `double_encode` is set for every service
 * except S3.  `raw_reserved_twice` also encodes twice a reserved character that the client left
 * bare in the path.  `query_form` is set for a presigned URL. */
struct sigv4_request {
	const char *method, *target, *signed_headers, *payload;
	const struct http_head *head; /* the values of the signed headers */
	bool double_encode, raw_reserved_twice, query_form;
};

/* Append the canonical request.  False if the query has more than SIGV4_MAX_PARAMS parameters. */
bool sigv4_canonical(struct buf *to, const struct sigv4_request *r) must_check;

#endif
