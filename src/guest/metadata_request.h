/* metadata_request.h - reads a request to the metadata's address (metadata.h).  The bytes come from
 * the application, or from whom it was made to ask for.  Pure. */
#ifndef GUEST_METADATA_REQUEST_H
#define GUEST_METADATA_REQUEST_H

#include "base/base.h"
#include "guest/metadata_token.h"

#define METADATA_BYTES  2048 /* of a request */
#define METADATA_PATH   512
#define METADATA_MOST_S 21600 /* of a token */

enum metadata_wish {
	METADATA_LEASE, /* to be kept awake for so many seconds */
	METADATA_TOKEN, /* a token for so many seconds */
	METADATA_READ,  /* what stands at a path, with a token */
};

struct metadata_request {
	enum metadata_wish wish;
	uint64_t seconds;
	char path[METADATA_PATH]; /* without the version in front, and without slashes at its ends
				   */
	char token[METADATA_TOKEN_SIZE]; /* as it was shown; not judged yet */
};

/* The status that refuses these bytes, 0 if more are needed, or 200 or 204 with what is wished.
 * @text ends with a NUL behind its @n bytes. */
unsigned metadata_judge(const char *text, size_t n, struct metadata_request *r);

#endif
