#include "wire/http2_strings.h"

#include <string.h>

enum { FRAME_HEADERS = 1, FRAME_CONTINUATION = 9 };
enum { FLAG_END_HEADERS = 0x4, FLAG_PADDED = 0x8, FLAG_PRIORITY = 0x20 };

#define FILL 'x' /* legal in a name and in a value */

/* How a field of HPACK begins (RFC 7541 6). */
static const struct {
	uint8_t mask, bits, prefix;
	unsigned strings, without_index; /* that follow; where it names no index */
} fields[] = {
	{ 0x80, 0x80, 0x7f, 0, 0 }, /* of a table */
	{ 0xc0, 0x40, 0x3f, 1, 2 }, /* a literal that goes into the table */
	{ 0xe0, 0x20, 0x1f, 0, 0 }, /* another size of the table */
	{ 0xe0, 0x00, 0x0f, 1, 2 }, /* other literals */
};

void http2_strings_init(struct http2_strings *s, size_t skip)
{
	*s = (struct http2_strings){ .skip = skip };
}

void http2_strings_free(struct http2_strings *s)
{
	buf_free(&s->frame);
	buf_free(&s->out);
}

static void strings_next(struct http2_strings *s)
{
	s->state = s->strings ? HTTP2_LENGTH : HTTP2_FIELD;
	s->n_length = 0;
}

static void strings_field(struct http2_strings *s, uint8_t b)
{
	size_t i = 0;
	uint8_t index;

	while ((b & fields[i].mask) != fields[i].bits)
		i++;
	index = b & fields[i].prefix;
	s->strings = index ? fields[i].strings : fields[i].without_index;
	if (index == fields[i].prefix)
		s->state = HTTP2_INDEX;
	else
		strings_next(s);
}

static void strings_begin(struct http2_strings *s, uint64_t size)
{
	static const uint8_t most[] = { 0x7f, 0x81, 0xff, 0x03 }; /* HTTP2_STRING_MOST */

	s->left = size;
	s->is_long = size > HTTP2_STRING_MOST;
	s->kept = s->is_long ? HTTP2_STRING_MOST : size;
	if (s->is_long)
		buf_add(&s->out, most, sizeof(most));
	else
		buf_add(&s->out, s->length, s->n_length);
	s->strings--;
	strings_next(s);
}

static void strings_length(struct http2_strings *s, uint8_t b)
{
	uint64_t size = s->length[0] & 0x7f;

	s->length[s->n_length++] = b;
	if (s->n_length == 1 && (b & 0x7f) != 0x7f) {
		strings_begin(s, b & 0x7f);
		return;
	}
	if (s->n_length == 1 || (b & 0x80 && s->n_length < sizeof(s->length)))
		return;
	if (b & 0x80) { /* whoever reads it next will say so */
		buf_add(&s->out, s->length, s->n_length);
		s->state = HTTP2_BROKEN;
		return;
	}
	for (size_t i = 1; i < s->n_length; i++)
		size += (uint64_t)(s->length[i] & 0x7f) << (7 * (i - 1));
	strings_begin(s, size);
}

static void strings_fill(struct buf *b, size_t n)
{
	buf_reserve(b, n);
	memset(b->data + b->size, FILL, n);
	b->size += n;
}

/* Bytes of a string, which is passed on, or of which as many stand for them as may. */
static size_t strings_text(struct http2_strings *s, const uint8_t *at, size_t size)
{
	size_t n = size < s->left ? size : (size_t)s->left,
	       keep = n < s->kept ? n : (size_t)s->kept;

	if (s->is_long)
		strings_fill(&s->out, keep);
	else
		buf_add(&s->out, at, keep);
	s->left -= n;
	s->kept -= keep;
	return n;
}

static void strings_block(struct http2_strings *s, const uint8_t *at, size_t size)
{
	for (size_t i = 0; i < size;) {
		uint8_t b = at[i];

		if (s->left) {
			i += strings_text(s, at + i, size - i);
			continue;
		}
		i++;
		if (s->state == HTTP2_LENGTH) {
			strings_length(s, b);
			continue;
		}
		buf_add(&s->out, &b, 1);
		if (s->state == HTTP2_FIELD)
			strings_field(s, b);
		else if (s->state == HTTP2_INDEX && !(b & 0x80))
			strings_next(s);
	}
}

static size_t strings_frame_size(const uint8_t *head)
{
	return (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
}

static void strings_put_size(uint8_t *head, size_t size)
{
	head[0] = (uint8_t)(size >> 16);
	head[1] = (uint8_t)(size >> 8);
	head[2] = (uint8_t)size;
}

/* The length of a string that began in the frame before stands in this one, which is longer by up
 * to 7 bytes then.  It is a CONTINUATION, and so is what gets the @over bytes that it must not
 * have. */
static void strings_split(struct http2_strings *s, size_t over)
{
	uint8_t rest[HTTP2_FRAME_HEAD + sizeof(s->length)];

	assert(over <= sizeof(s->length));
	memcpy(rest, s->out.data, HTTP2_FRAME_HEAD);
	memcpy(rest + HTTP2_FRAME_HEAD, s->out.data + s->out.size - over, over);
	strings_put_size(rest, over);
	s->out.size -= over;
	strings_put_size(s->out.data, HTTP2_FRAME_MOST);
	s->out.data[4] &= (uint8_t)~FLAG_END_HEADERS;
	buf_add(&s->out, rest, HTTP2_FRAME_HEAD + over);
}

/* A whole frame of a block is in `frame`; what it becomes goes to `out`. */
static void strings_frame(struct http2_strings *s)
{
	const uint8_t *data = s->frame.data;
	size_t size = s->frame.size, front = 0, padding = 0;
	uint8_t flags = s->head[4];

	if (s->head[3] == FRAME_HEADERS && flags & FLAG_PADDED && size) {
		padding = data[0];
		front++;
	}
	if (s->head[3] == FRAME_HEADERS && flags & FLAG_PRIORITY)
		front += 5;
	buf_add(&s->out, s->head, sizeof(s->head));
	if (front + padding > size) { /* whoever reads it next will say so */
		buf_add(&s->out, data, size);
		s->state = HTTP2_BROKEN;
		return;
	}
	buf_add(&s->out, data, front);
	strings_block(s, data + front, size - front - padding);
	buf_add(&s->out, data + size - padding, padding);
	size = s->out.size - HTTP2_FRAME_HEAD;
	if (size > HTTP2_FRAME_MOST)
		strings_split(s, size - HTTP2_FRAME_MOST);
	else
		strings_put_size(s->out.data, size);
}

/* A frame's head is in `head`: is it one of a block of several frames?  */
static void strings_judge(struct http2_strings *s)
{
	bool ends = s->head[4] & FLAG_END_HEADERS, begins = s->head[3] == FRAME_HEADERS && !ends;
	size_t size = strings_frame_size(s->head);

	s->gathers = begins || (s->in_block && s->head[3] == FRAME_CONTINUATION);
	if (begins) {
		s->state = HTTP2_FIELD;
		s->strings = 0;
		s->left = s->n_length = 0;
	}
	s->in_block = s->gathers && !ends;
	if (size <= HTTP2_FRAME_MOST && s->gathers)
		return;
	s->gathers = s->in_block = false;
	s->skip = size;
}

static size_t strings_gather(struct http2_strings *s, const uint8_t *data, size_t size)
{
	size_t left = strings_frame_size(s->head) - s->frame.size, n = size < left ? size : left;

	buf_add(&s->frame, data, n);
	if (n < left)
		return n;
	strings_frame(s);
	s->gathers = false;
	s->n_head = 0;
	if (s->in_block)
		buf_clear(&s->frame);
	else
		buf_free(&s->frame);
	return n;
}

/* How much of it passes as it is, up to a frame that has to be looked at. */
static size_t strings_pass(struct http2_strings *s, const uint8_t *data, size_t size)
{
	size_t at = 0;

	while (at < size) {
		size_t n = size - at < s->skip ? size - at : s->skip;

		s->skip -= n;
		at += n;
		if (size - at < HTTP2_FRAME_HEAD)
			return at;
		memcpy(s->head, data + at, HTTP2_FRAME_HEAD);
		strings_judge(s);
		if (s->gathers) { /* seen again when it is first */
			s->gathers = false;
			s->in_block = s->head[3] == FRAME_CONTINUATION;
			return at;
		}
		at += HTTP2_FRAME_HEAD;
	}
	return at;
}

size_t http2_strings_take(struct http2_strings *s, const uint8_t *data, size_t size,
			  const uint8_t **out, size_t *out_size)
{
	size_t n = s->n_head || s->gathers ? 0 : strings_pass(s, data, size);

	if (s->out.size)
		buf_free(&s->out);
	*out = data;
	*out_size = n;
	if (n)
		return n;
	if (!s->gathers) {
		n = HTTP2_FRAME_HEAD - s->n_head;
		n = size < n ? size : n;
		memcpy(s->head + s->n_head, data, n);
		s->n_head += n;
		if (s->n_head < HTTP2_FRAME_HEAD)
			return n;
		strings_judge(s);
		if (!s->gathers) {
			s->n_head = 0;
			*out = s->head;
			*out_size = HTTP2_FRAME_HEAD;
			return n;
		}
	}
	n += strings_gather(s, data + n, size - n);
	*out = s->out.data;
	*out_size = s->out.size;
	return n;
}
