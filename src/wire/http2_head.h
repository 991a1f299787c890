/* http2_head.h - the head of an HTTP/2 request (RFC 9113 8.3), as the same struct http_head that
 * HTTP/1.1 fills in.  Pure.
 *
 * What it lets through can be written as one request of HTTP/1.1 that has one meaning: it names one
 * host, has one length or none, no field of a connection, and no byte that would end a line.  An
 * extended CONNECT (RFC 8441) becomes the GET with an Upgrade that it stands for. */
#ifndef WIRE_HTTP2_HEAD_H
#define WIRE_HTTP2_HEAD_H

#include "wire/http_head.h"

struct http2_fields {
	struct buf text; /* each name and each value, with a NUL behind it; owned */
	size_t n;
	size_t size;   /* of all fields, also of those that were not kept */
	bool protocol; /* one is :protocol */
	bool over;     /* there are more than LIMIT_HTTP_* allow */
};

/* False: a NUL in it. */
bool http2_add_field(struct http2_fields *f, const uint8_t *name, size_t name_size,
		     const uint8_t *value, size_t value_size) must_check;

/* The block is complete; @ended: and so is the request.  *h takes the fields' memory over.  @key
 * becomes the Sec-WebSocket-Key of an extended CONNECT, and is borrowed.  Returns 0, or the status
 * to answer with the reason in *why. */
unsigned http2_head_parse(struct http_head *h, struct http2_fields *f, bool ended, const char *key,
			  const char **why) must_check;

#endif
