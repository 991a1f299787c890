/* http1.c - collects the whole head, and has http1_head.c read it.  llhttp reads the body and
 * pauses after every piece.
 *
 * A request's head is read by llhttp too, and both must agree on where it ends and how the body is
 * framed.  Of a response, whose head may be odd, llhttp gets a head of ours that frames the body as
 * http1_head.c understood it. */

#include <stdlib.h>
#include <string.h>

#include "wire/http1.h"
#include "wire/http1_head.h"
#include "wire/http1_parts.h"

struct http1 *http1_new(bool requests)
{
	struct http1 *p = xcalloc(1, sizeof(*p));

	p->requests = requests;
	return p;
}

void http1_free(struct http1 *p)
{
	if (!p)
		return;
	http_head_free(&p->head);
	http_trailers_clear(&p->trailers);
	free(p);
}

void http1_renew(struct http1 *p, bool requests)
{
	p->state = HTTP1_IN_HEAD;
	p->requests = requests;
	p->no_body = p->started = false;
	p->status = 0;
	p->why = NULL;
}

size_t http1_room(const struct http1 *p)
{
	return p->head.text.room + p->trailers.text.room;
}

void http1_expect_no_body(struct http1 *p, bool no_body)
{
	p->no_body = no_body;
}

struct http_head *http1_head(struct http1 *p)
{
	return &p->head;
}

const struct http_header *http1_trailers(const struct http1 *p, size_t *n)
{
	*n = p->trailers.n;
	return p->trailers.at;
}

const char *http1_error(const struct http1 *p)
{
	return p->why;
}

unsigned http1_status(const struct http1 *p)
{
	return p->status;
}

static enum http1_event http1_bad(struct http1 *p, unsigned status, const char *why)
{
	p->state = HTTP1_BROKEN;
	p->status = status;
	p->why = why;
	return HTTP1_BAD;
}

static void http1_begin(struct http1 *p)
{
	http_head_clear(&p->head);
	p->headers_done = p->message_done = p->in_trailers = false;
	p->extra = 0;
	http_trailers_clear(&p->trailers);
	p->padding = false;
	p->last = 0;
	p->line_end = 0;
	p->blank_lines = 0;
	p->started = true;
	/* The settings are only read. */
	llhttp_init(&p->llhttp, p->requests ? HTTP_REQUEST : HTTP_RESPONSE, &http1_settings);
	p->llhttp.data = p;
}

static bool http1_execute_head(struct http1 *p, const char *text, size_t size)
{
	const char *end = text + size;
	enum llhttp_errno rc = llhttp_execute(&p->llhttp, text, size);

	if (rc == HPE_PAUSED) {
		end = llhttp_get_error_pos(&p->llhttp);
		llhttp_resume(&p->llhttp);
	}
	return (rc == HPE_OK || rc == HPE_PAUSED) && p->headers_done && end == text + size;
}

/* llhttp knows a list of methods, which grows.  No method that is served changes how a message is
 * read, so each in capitals goes for one that it knows (http1_head.c keeps the name). */
static bool http1_execute_request(struct http1 *p)
{
	const char *text = (const char *)p->head.text.data;
	size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_");

	if (n && llhttp_execute(&p->llhttp, "PUT", 3) != HPE_OK)
		return false;
	return http1_execute_head(p, text + n, p->head.text.size - n);
}

static bool http1_execute_framing(struct http1 *p)
{
	const struct http_head *h = &p->head;
	uint8_t room[96];
	/* It is large enough for all of this, so it does not grow. */
	struct buf text = { .data = room, .room = sizeof(room) };

	buf_adds(&text, "HTTP/1.1 ");
	buf_add_number(&text, h->status);
	buf_adds(&text, " X\r\n");
	if (h->chunked) {
		buf_adds(&text, "transfer-encoding: chunked\r\n");
	} else if (h->length >= 0) {
		http1_put_length(&text, (uint64_t)h->length);
	}
	http1_put_end(&text);
	assert(text.data == room);
	return http1_execute_head(p, (const char *)text.data, text.size);
}

static enum http1_event http1_head_done(struct http1 *p)
{
	struct http_head *h = &p->head;
	const char *why = NULL;
	bool agreed = true;
	unsigned status;

	/* llhttp must see a request before http1_head_parse rewrites its bytes. */
	if (p->requests)
		agreed = http1_execute_request(p);
	status = http1_head_parse(h, p->requests, &why);
	if (status)
		return http1_bad(p, status, why);
	if (!p->requests)
		agreed = http1_execute_framing(p);
	if (!agreed || p->chunked != h->chunked || p->length != h->length)
		return http1_bad(p, 400, "the head is not strict HTTP/1.1");
	p->state = p->message_done ? HTTP1_AT_END : HTTP1_IN_BODY;
	if (h->status == 101)
		p->state = HTTP1_FOREIGN;
	return HTTP1_HEAD;
}

/* May these bytes, which hold a LF at most at their end, follow what was read of the head?
 *
 * Some applications end the lines of a head with LF alone, which no reader takes for anything else
 * (RFC 9112 2.2).  Clients get no such leniency, because what stands between them and us may read
 * their bytes in another way. */
static bool http1_may_follow(const struct http1 *p, const uint8_t *data, size_t size)
{
	const uint8_t *cr = memchr(data, '\r', size);
	bool ends = data[size - 1] == '\n';

	if (memchr(data, '\0', size) || (cr && data + size - cr != 1 + ends))
		return false;
	if (p->last == '\r')
		return size == 1 && ends;
	return !ends || cr || !p->requests;
}

/* Move what was read of a line to the head; its end becomes CR LF. */
static void http1_add_line(struct http1 *p, const uint8_t *data, size_t size)
{
	bool bare = (size > 1 ? data[size - 2] : p->last) != '\r';

	buf_add(&p->head.text, data, bare ? size - 1 : size);
	if (bare)
		buf_adds(&p->head.text, "\r\n");
}

/* A line is complete.  MORE: the head is not. */
static enum http1_event http1_line_done(struct http1 *p)
{
	struct buf *text = &p->head.text;

	if (text->size > LIMIT_HTTP_HEAD)
		return http1_bad(p, 431, "the head is too long");
	if (text->size - p->line_end > 2)
		p->line_end = text->size;
	else if (p->line_end)
		return http1_head_done(p);
	else if (p->requests && p->blank_lines++ < 2)
		buf_clear(text); /* RFC 9112 2.2 */
	else
		return http1_bad(p, 400, "an empty line where a head should begin");
	return HTTP1_MORE;
}

/* Other protocols are known by their first bytes, and some of them then wait for ours. */
static bool http1_begins_well(const struct http1 *p)
{
	static const char name[] = "HTTP/";
	size_t most = sizeof(name) - 1, size = p->head.text.size;

	return p->requests || !size || !memcmp(p->head.text.data, name, size < most ? size : most);
}

static enum http1_event http1_take_head(struct http1 *p, const uint8_t *data, size_t size,
					size_t *used)
{
	struct buf *text = &p->head.text;
	const uint8_t *end;
	size_t n;

	for (*used = 0; *used < size; *used += n) {
		const uint8_t *line = data + *used;
		enum http1_event event = HTTP1_MORE;

		end = memchr(line, '\n', size - *used);
		n = end ? (size_t)(end + 1 - line) : size - *used;
		if (!http1_may_follow(p, line, n))
			return http1_bad(p, 400, "a NUL, or a line that does not end in CR LF");
		if (end)
			http1_add_line(p, line, n);
		else
			buf_add(text, line, n);
		p->last = line[n - 1];
		if (end)
			event = http1_line_done(p);
		if (event != HTTP1_MORE) {
			*used += n;
			return event;
		}
	}
	if (!http1_begins_well(p))
		return http1_bad(p, 400, "the answer does not begin as HTTP does");
	if (!p->line_end && text->size > LIMIT_HTTP_TARGET + 64)
		return http1_bad(p, 414, "the first line is too long");
	if (text->size > LIMIT_HTTP_HEAD)
		return http1_bad(p, 431, "the head is too long");
	return HTTP1_MORE;
}

/* llhttp lets a trailer continue on a folded line, and an empty line that is a LF alone end them.
 * Another reader would take what follows for a trailer, so both are refused here. */
static bool http1_are_strict_lines(struct http1 *p, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (p->last == '\n' && (data[i] == ' ' || data[i] == '\t'))
			return false;
		if (data[i] == '\n' && p->last != '\r')
			return false;
		p->last = data[i];
	}
	return true;
}

static enum http1_event http1_end(struct http1 *p)
{
	p->state = HTTP1_IN_HEAD;
	p->started = false;
	return HTTP1_END;
}

static enum http1_event http1_take_body(struct http1 *p, const uint8_t *data, size_t size,
					size_t *used);

static enum http1_event http1_take_rest(struct http1 *p, const uint8_t *data, size_t size,
					size_t *used)
{
	size_t more;
	enum http1_event event = http1_take_body(p, data + *used, size - *used, &more);

	*used += more;
	return event;
}

/* The blanks with which some applications pad the size of a chunk, which no reader takes for
 * anything else.  As with LF, clients get no such leniency. */
static enum http1_event http1_take_padding(struct http1 *p, const uint8_t *data, size_t size,
					   size_t *used)
{
	for (*used = 0; *used < size; ++*used) {
		uint8_t byte = data[*used];

		if (++p->extra > HTTP1_EXTENSIONS || !strchr(" \t\r;", byte) || !byte)
			return http1_bad(p, 400, "the body is not strictly chunked");
		if (byte == '\r' || byte == ';') {
			p->padding = false;
			return http1_take_rest(p, data, size, used);
		}
	}
	return HTTP1_MORE;
}

/* Did llhttp stumble over padding?  Then it is where it was before the first blank, at *used.  A
 * size that is too large is the same error of llhttp's, and may be at the end of the data. */
static bool http1_is_padded(struct http1 *p, const llhttp_t *before, const uint8_t *data,
			    size_t size, size_t *used)
{
	*used = (size_t)(llhttp_get_error_pos(&p->llhttp) - (const char *)data);
	if (p->requests || *used >= size || (data[*used] != ' ' && data[*used] != '\t'))
		return false;
	p->llhttp = *before;
	p->padding = true;
	return llhttp_execute(&p->llhttp, (const char *)data, *used) == HPE_OK;
}

static enum http1_event http1_take_body(struct http1 *p, const uint8_t *data, size_t size,
					size_t *used)
{
	bool in_trailers = p->in_trailers;
	llhttp_t before = p->llhttp;
	enum llhttp_errno rc;

	if (p->padding)
		return http1_take_padding(p, data, size, used);
	p->body_size = 0;
	rc = llhttp_execute(&p->llhttp, (const char *)data, size);
	if (rc == HPE_INVALID_CHUNK_SIZE && http1_is_padded(p, &before, data, size, used))
		return http1_take_rest(p, data, size, used);
	*used = size;
	if (rc == HPE_PAUSED) {
		*used = (size_t)(llhttp_get_error_pos(&p->llhttp) - (const char *)data);
		llhttp_resume(&p->llhttp);
	}
	if ((rc != HPE_OK && rc != HPE_PAUSED) ||
	    (in_trailers && !http1_are_strict_lines(p, data, *used)))
		return http1_bad(p, 400, "the body is not strictly chunked");
	if (!in_trailers && p->in_trailers)
		return http1_take_rest(p, data, size, used);
	if (p->body_size)
		return HTTP1_BODY;
	if (!p->message_done)
		return HTTP1_MORE;
	if (!http_trailers_read(&p->trailers))
		return http1_bad(p, 400, "a trailer that may not be passed on");
	p->state = HTTP1_AT_END;
	return p->trailers.n ? HTTP1_TRAILERS : http1_end(p);
}

enum http1_event http1_next(struct http1 *p, const uint8_t *data, size_t size, size_t *used,
			    const uint8_t **body, size_t *body_size)
{
	enum http1_event event;

	*used = 0;
	switch (p->state) {
	case HTTP1_IN_HEAD:
		if (!size)
			return HTTP1_MORE;
		if (!p->started)
			http1_begin(p);
		return http1_take_head(p, data, size, used);
	case HTTP1_IN_BODY:
		event = http1_take_body(p, data ? data : (const uint8_t *)"", size, used);
		*body = p->body;
		*body_size = p->body_size;
		return event;
	case HTTP1_AT_END:
		return http1_end(p);
	case HTTP1_FOREIGN:
		return HTTP1_UPGRADE;
	case HTTP1_BROKEN:
		break;
	}
	return HTTP1_BAD;
}

bool http1_finish(struct http1 *p)
{
	const struct http_head *h = &p->head;
	bool until_close = !p->requests && !h->chunked && h->length < 0;

	switch (p->state) {
	case HTTP1_IN_HEAD:
		return !p->started || !h->text.size;
	case HTTP1_IN_BODY:
		return until_close;
	case HTTP1_AT_END:
	case HTTP1_FOREIGN:
		return true;
	case HTTP1_BROKEN:
		break;
	}
	return false;
}
