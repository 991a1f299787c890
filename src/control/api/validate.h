/* validate.h - a request against the table of its operation: all that is wrong with it in one
 * message (service.md 2.6), or one object that holds nothing but what the table allows.  Pure. */
#ifndef CONTROL_API_VALIDATE_H
#define CONTROL_API_VALIDATE_H

#include <jansson.h>

#include "base/buf.h"
#include "control/api/ops.h"

enum decoded {
	DECODED,
	DECODED_INVALID,    /* constraints are violated: ValidationException */
	DECODED_UNREADABLE, /* it is no JSON, or of other types: SerializationException */
};

struct op_request {
	const struct op *op;
	const struct op_segments *segments;
	const char *query; /* what follows '?', or NULL */
	const void *body;
	size_t size;
};

/* DECODED: *in is owned by the caller; members that are absent
 * or null are not in it, unknown ones neither.  Otherwise *why is the message. */
enum decoded op_decode(const struct op_request *r, json_t **in, struct buf *why) must_check;

#endif
