/* http1.h - HTTP/1.1 messages (RFC 9112) as a strict, pure parser and an encoder.
 *
 * A request is a stranger's, and a proxy in front of us may have read it otherwise.  Of it all of
 * the following is refused.  A response is the owner's application's, so what is odd in it but has
 * one meaning is taken: lines that end in LF alone, equal lengths, any status up to 999, space
 * before a colon (RFC 9112 5.1), control characters in a value, which become spaces, and a name
 * that is no token, whose field is left out.
 *
 * llhttp frames bodies: chunk sizes, extensions, trailers.  http1_head.c owns every refusal of a
 * head, because llhttp lets through what a proxy must refuse: a field name that is not a token,
 * space before the colon, obs-fold, a request with no Host or several, Content-Length with
 * Transfer-Encoding, Content-Lengths that differ or have a sign, a Transfer-Encoding other than one
 * final "chunked", Transfer-Encoding in HTTP/1.0, a bare CR or LF, NUL, an absolute-form that
 * disagrees with Host, and anything over LIMIT_HTTP_*.  A message is never passed on as it came:
 * its head is parsed into struct http_head and written anew by http1_put_*. */
#ifndef WIRE_HTTP1_H
#define WIRE_HTTP1_H

#include "wire/http_head.h"

enum http1_event {
	HTTP1_MORE,
	HTTP1_HEAD,
	HTTP1_BODY,
	HTTP1_TRAILERS,
	HTTP1_END,
	HTTP1_UPGRADE,
	HTTP1_BAD
};

struct http1; /* one direction of one connection; request or response parser */
struct http1 *http1_new(bool requests);
void http1_free(struct http1 *p);
void http1_renew(struct http1 *p, bool requests); /* as a new one; its memory is kept */
size_t http1_room(const struct http1 *p);         /* bytes that it has for heads and trailers */

/* Tell a response parser, before each response, whether the request was HEAD and no body follows.
 */
void http1_expect_no_body(struct http1 *p, bool no_body);

/* Take the next event out of these bytes and consume *used of them.  Call it again with the rest,
 * even with none, until it returns MORE.
 * HEAD: http1_head returns it; it is valid until the next HEAD.
 * BODY: *body points to *body_size decoded bytes inside @data.
 * TRAILERS: http1_trailers returns them; those that may not pass (http_trailers.h) are left out.
 * END: the message is complete, and the next one may follow.
 * UPGRADE: the head of a 101 was read, and the bytes that follow are not HTTP.  A request that asks
 * for an upgrade ends like any other.
 * MORE: all bytes are consumed.
 * BAD: http1_error gives the reason.  Answer with http1_status, then close the connection. */
enum http1_event http1_next(struct http1 *p, const uint8_t *data, size_t size, size_t *used,
			    const uint8_t **body, size_t *body_size);
/* The connection ended.  True if the message is complete; a response that lasts until the close is
 * complete now. */
bool http1_finish(struct http1 *p);
struct http_head *http1_head(struct http1 *p); /* borrowed */
/* Borrowed, until the next message begins. */
const struct http_header *http1_trailers(const struct http1 *p, size_t *n);
const char *http1_error(const struct http1 *p);
unsigned http1_status(const struct http1 *p);

/* Encoders; name and value are checked: false if either would break the message. */
void http1_put_request(struct buf *b, const char *method, const char *target);
void http1_put_status(struct buf *b, unsigned status);
void http1_put_status_as(struct buf *b, unsigned status, const char *reason);
bool http1_put_header(struct buf *b, const char *name, const char *value) must_check;
void http1_put_length(struct buf *b, uint64_t length);
void http1_put_end(struct buf *b);
void http1_put_chunk(struct buf *b, const uint8_t *data, size_t size); /* size 0 is ignored */
void http1_put_last_chunk(struct buf *b);
/* The last chunk, and these behind it.  A field that may not be written is left out. */
void http1_put_trailers(struct buf *b, const struct http_header *fields, size_t n);
const char *http_reason(unsigned status);

#endif
