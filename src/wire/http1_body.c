/* http1_body.c - what llhttp reports: the framing that it read from a head, pieces of a body, chunk
 * extensions and trailers. */

#include <string.h>

#include "wire/http1_head.h"
#include "wire/http1_parts.h"

static int http1_on_headers(llhttp_t *l)
{
	struct http1 *p = l->data;
	unsigned status = p->head.status;

	p->headers_done = true;
	p->chunked = l->flags & F_CHUNKED;
	p->length = l->flags & F_CONTENT_LENGTH ? (int64_t)l->content_length : -1;
	/* Whoever agrees to an upgrade decides when to stop speaking HTTP. */
	l->upgrade = 0;
	/* llhttp would wait for the body that the length of a 304 only describes. */
	return p->no_body || status / 100 == 1 || status == 204 || status == 304;
}

static int http1_on_body(llhttp_t *l, const char *at, size_t size)
{
	struct http1 *p = l->data;

	p->body = (const uint8_t *)at;
	p->body_size = size;
	return size ? HPE_PAUSED : 0;
}

static int http1_on_chunk(llhttp_t *l)
{
	struct http1 *p = l->data;

	p->in_trailers = !l->content_length;
	p->last = '\n';
	return p->in_trailers ? HPE_PAUSED : 0;
}

static int http1_on_complete(llhttp_t *l)
{
	struct http1 *p = l->data;

	p->message_done = true;
	return HPE_PAUSED;
}

/* Chunk extensions are dropped, so only their size matters. */
static int http1_on_extra(llhttp_t *l, const char *at, size_t size)
{
	struct http1 *p = l->data;

	(void)at;
	if (p->headers_done)
		p->extra += size;
	return p->extra > HTTP1_EXTENSIONS ? HPE_USER : 0;
}

static int http1_on_trailer(llhttp_t *l, const char *at, size_t size)
{
	struct http1 *p = l->data;

	if (!p->headers_done)
		return 0;
	buf_add(&p->trailers.text, at, size);
	return memchr(at, '\0', size) ? HPE_USER : http1_on_extra(l, at, size);
}

static int http1_on_trailer_name(llhttp_t *l, const char *at, size_t size)
{
	struct http1 *p = l->data;

	if (p->headers_done && size && !http1_is_token(at, size))
		return HPE_USER;
	return http1_on_trailer(l, at, size);
}

static int http1_on_trailer_part(llhttp_t *l)
{
	struct http1 *p = l->data;

	if (p->headers_done)
		buf_add(&p->trailers.text, "", 1);
	return 0;
}

const llhttp_settings_t http1_settings = {
	.on_header_field = http1_on_trailer_name,
	.on_header_field_complete = http1_on_trailer_part,
	.on_header_value = http1_on_trailer,
	.on_header_value_complete = http1_on_trailer_part,
	.on_chunk_extension_name = http1_on_extra,
	.on_chunk_extension_value = http1_on_extra,
	.on_headers_complete = http1_on_headers,
	.on_body = http1_on_body,
	.on_chunk_header = http1_on_chunk,
	.on_message_complete = http1_on_complete,
};
