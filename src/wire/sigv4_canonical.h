/* sigv4_canonical.h - the canonical request of SigV4 (AWS General Reference), made the same way for
 * verifying and for signing. */
#ifndef WIRE_SIGV4_CANONICAL_H
#define WIRE_SIGV4_CANONICAL_H

#include "wire/sigv4.h"

#define SIGV4_MAX_PARAMS 128

/* What is signed, wherever it came from.  All is borrowed.
 * @double_encode: every service but S3; @raw_reserved_twice: a reserved character that the client
 * left bare in the path is encoded twice, too; @query_form: a presigned URL. */
struct sigv4_request {
	const char *method, *target, *signed_headers, *payload;
	const struct http_head *head; /* the values of the signed headers */
	bool double_encode, raw_reserved_twice, query_form;
};

/* Adds the canonical request to @to; false: more than SIGV4_MAX_PARAMS query parameters. */
bool sigv4_canonical(struct buf *to, const struct sigv4_request *r) must_check;

#endif
