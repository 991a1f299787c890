/* http2_strings.h - header strings that are longer than nghttp2 reads.
 *
 * nghttp2 ends a connection whose HPACK has a string of more than 64 KiB, although one too long
 * header is the fault of one stream.  This stands in front of it: such a string becomes one of
 * exactly 64 KiB, which is refused as too long all the same.  The dynamic tables of both sides stay
 * equal, since either string is larger than the table and so only empties it (RFC 7541 4.4).
 *
 * Only a block of several frames can hold such a string, so nothing else is looked at or kept.  Of
 * such a block one frame is kept at a time. */
#ifndef WIRE_HTTP2_STRINGS_H
#define WIRE_HTTP2_STRINGS_H

#include "base/buf.h"

#define HTTP2_STRING_MOST (64 * KIB)
#define HTTP2_FRAME_HEAD  9
#define HTTP2_FRAME_MOST  (16 * KIB) /* SETTINGS_MAX_FRAME_SIZE, which nobody raises here */
#define HTTP2_PREFACE     24

enum http2_string_state { HTTP2_FIELD, HTTP2_INDEX, HTTP2_LENGTH, HTTP2_BROKEN, HTTP2_NUM_STRING };

struct http2_strings {
	size_t skip; /* bytes that pass as they are: the preface, frames */
	uint8_t head[HTTP2_FRAME_HEAD];
	size_t n_head;
	bool gathers;  /* the frame of `head` is kept until it is whole */
	bool in_block; /* a block began that needs more frames */
	struct buf frame, out;
	/* Where in the block it is: */
	enum http2_string_state state;
	unsigned strings;    /* that this field still has */
	uint8_t length[8];   /* the bytes of a string's length */
	size_t n_length;     /* ... that came */
	uint64_t left, kept; /* bytes of a string: that come, that pass */
	bool is_long;        /* others stand for them */
};

/* @skip: bytes in front of the first frame. */
void http2_strings_init(struct http2_strings *s, size_t skip);
void http2_strings_free(struct http2_strings *s);

/* Take bytes of a peer.  Returns how many it took, at least one of one; *out is what to read in
 * their place, valid until the next call. */
size_t http2_strings_take(struct http2_strings *s, const uint8_t *data, size_t size,
			  const uint8_t **out, size_t *out_size);

#endif
