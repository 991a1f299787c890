/* object.h - what several operations on objects share. */
#ifndef OBJECTS_OBJECT_H
#define OBJECTS_OBJECT_H

#include "objects/request.h"

#define OBJECT_HEADERS_NUM 24
#define OBJECT_KEPT        6

/* These headers are kept with an object and sent with it, besides x-amz-meta-*.  A parameter of the
 * query may replace one in a single answer. */
struct object_kept {
	const char *header, *param;
};
extern const struct object_kept object_kept[OBJECT_KEPT];

/* Those headers of the request, as a JSON object.  NULL: one cannot be kept, and the request is
 * answered. */
json_t *object_headers(struct request *r);
/* The same of these, which a form has instead. */
json_t *object_headers_of(struct request *r, const struct http_header *list, size_t n);
/* Do If-Match and If-None-Match allow the request to replace @o (NULL: there is no object)?  False:
 * the request is answered. */
bool object_may_write(struct request *r, const struct object *o);
/* Is it in this list of quoted ETags, or is the list "*"? */
bool object_etag_in(const char *list, const char *etag);

struct object_sum {
	enum s3_sum_kind kind;
	char text[S3_SUM_TEXT + 8]; /* base64, of parts with "-N" behind it */
	bool whole;                 /* of all bytes, and not of the parts' checksums */
};

/* The JSON of an object whose bytes are the draft's. `headers` is borrowed. */
json_t *object_make(const char *key, const struct draft *d, const char *etag, json_t *headers,
		    const struct object_sum *sum);
/* "bytes=a-b" of a file of this size: 1: a range, 0: to be ignored, -1: not satisfiable. */
int object_range(const char *text, uint64_t size, uint64_t *at, uint64_t *left);

#endif
