/* http1_parts.h - a parser, for the files that implement it: http1.c collects heads and says what
 * comes next, http1_body.c is what llhttp calls. */
#ifndef WIRE_HTTP1_PARTS_H
#define WIRE_HTTP1_PARTS_H

#include <llhttp.h>

#include "wire/http_trailers.h"

#define HTTP1_EXTENSIONS (4 * KIB) /* bytes of chunk extensions and trailers of one message */

enum http1_state {
	HTTP1_IN_HEAD,
	HTTP1_IN_BODY,
	HTTP1_AT_END,  /* HTTP1_END is due next */
	HTTP1_FOREIGN, /* upgraded */
	HTTP1_BROKEN,
};

struct http1 {
	enum http1_state state;
	bool requests, no_body, headers_done, message_done;
	bool in_trailers;
	bool padding; /* blanks behind the size of a chunk are read */
	bool started; /* a head or its body is being read */
	llhttp_t llhttp;
	struct http_head head;
	uint8_t last;    /* byte of the head */
	size_t line_end; /* where its last whole line ended */
	unsigned blank_lines;
	bool chunked; /* llhttp's view of the body */
	int64_t length;
	size_t extra; /* bytes of extensions and trailers */
	struct http_trailers trailers;
	const uint8_t *body;
	size_t body_size;
	unsigned status;
	const char *why;
};

extern const llhttp_settings_t http1_settings;

#endif
