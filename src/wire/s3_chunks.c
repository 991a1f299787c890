/* s3_chunks.c - a strict reader of the aws-chunked encoding: lines end in CR LF, sizes have no sign
 * and no space, and chunk-signature is the only extension. */

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "wire/s3.h"

enum {
	S3_CHUNK_LINE,
	S3_CHUNK_BYTES,
	S3_CHUNK_CR,
	S3_CHUNK_LF,
	S3_CHUNK_TRAILER,
	S3_CHUNK_OVER,
	S3_CHUNK_BROKEN
};

static bool s3_signature_read(const char *text, char out[65])
{
	if (strlen(text) != 64)
		return false;
	for (const char *c = text; *c; c++)
		if (hex_digit(*c) < 0)
			return false;
	memcpy(out, text, 65);
	return true;
}

/* Collect a line in c->line without its CR LF.  Returns 1 when it is complete, 0 if more bytes are
 * needed, -1 if it is broken. */
static int s3_chunks_line(struct s3_chunks *c, const uint8_t *data, size_t size, size_t *used)
{
	while (*used < size) {
		char byte = (char)data[(*used)++];

		if (byte == '\n') {
			if (!c->line_size || c->line[c->line_size - 1] != '\r')
				return -1;
			c->line[c->line_size - 1] = '\0';
			c->line_size = 0;
			return 1;
		}
		if (!byte || c->line_size == sizeof(c->line) ||
		    (c->line_size && c->line[c->line_size - 1] == '\r'))
			return -1;
		c->line[c->line_size++] = byte;
	}
	return 0;
}

static bool s3_chunks_size(struct s3_chunks *c)
{
	const char *at = c->line, *mark = ";chunk-signature=";

	c->left = 0;
	c->signature[0] = '\0';
	for (; hex_digit(*at) >= 0; at++) {
		if (at - c->line >= 15)
			return false;
		c->left = c->left << 4 | (unsigned)hex_digit(*at);
	}
	if (at == c->line || c->left > LIMIT_S3_OBJECT)
		return false;
	if (!*at)
		return true;
	return !strncmp(at, mark, strlen(mark)) &&
	       s3_signature_read(at + strlen(mark), c->signature);
}

static bool s3_chunks_trailer(struct s3_chunks *c)
{
	char *colon = strchr(c->line, ':'), *value;
	size_t have = strlen(c->trailers), end;

	if (!colon || colon == c->line)
		return false;
	*colon = '\0';
	for (char *s = c->line; *s; s++) {
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
		if (!((*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') || *s == '-'))
			return false;
	}
	value = colon + 1 + strspn(colon + 1, " \t");
	for (end = strlen(value); end && (value[end - 1] == ' ' || value[end - 1] == '\t'); end--)
		value[end - 1] = '\0';
	for (char *s = value; *s; s++)
		if (*s < ' ' || *s > '~')
			return false;
	if (!strcmp(c->line, "x-amz-trailer-signature"))
		return s3_signature_read(value, c->trailer_signature);
	if (have + strlen(c->line) + strlen(value) + 3 > sizeof(c->trailers))
		return false;
	snprintf(c->trailers + have, sizeof(c->trailers) - have, "%s:%s\n", c->line, value);
	return true;
}

static enum s3_chunk_event s3_chunks_broken(struct s3_chunks *c)
{
	c->state = S3_CHUNK_BROKEN;
	return S3_CHUNK_BAD;
}

static enum s3_chunk_event s3_chunks_head(struct s3_chunks *c, const uint8_t *data, size_t size,
					  size_t *used)
{
	int rc = s3_chunks_line(c, data, size, used);

	if (!rc)
		return S3_CHUNK_MORE;
	if (rc < 0 || !s3_chunks_size(c))
		return s3_chunks_broken(c);
	if (c->left) {
		c->state = S3_CHUNK_BYTES;
		return S3_CHUNK_DATA; /* It has no bytes yet. */
	}
	c->state = S3_CHUNK_TRAILER;
	return S3_CHUNK_DONE;
}

static enum s3_chunk_event s3_chunks_tail(struct s3_chunks *c, const uint8_t *data, size_t size,
					  size_t *used)
{
	int rc;

	while ((rc = s3_chunks_line(c, data, size, used)) > 0) {
		if (!c->line[0]) {
			c->state = S3_CHUNK_OVER;
			return S3_CHUNK_END;
		}
		if (!s3_chunks_trailer(c))
			return s3_chunks_broken(c);
	}
	return rc < 0 ? s3_chunks_broken(c) : S3_CHUNK_MORE;
}

enum s3_chunk_event s3_chunks_next(struct s3_chunks *c, const uint8_t *data, size_t size,
				   size_t *used, const uint8_t **piece, size_t *piece_size)
{
	*used = *piece_size = 0;
	*piece = data;
	if (!size && c->state != S3_CHUNK_BROKEN)
		return S3_CHUNK_MORE;
	switch (c->state) {
	case S3_CHUNK_LINE:
		return s3_chunks_head(c, data, size, used);
	case S3_CHUNK_BYTES:
		*used = *piece_size = c->left < size ? (size_t)c->left : size;
		c->left -= *used;
		if (!c->left)
			c->state = S3_CHUNK_CR;
		return S3_CHUNK_DATA;
	case S3_CHUNK_CR:
	case S3_CHUNK_LF:
		*used = 1;
		if (data[0] != (c->state == S3_CHUNK_CR ? '\r' : '\n'))
			return s3_chunks_broken(c);
		c->state = c->state == S3_CHUNK_CR ? S3_CHUNK_LF : S3_CHUNK_LINE;
		return c->state == S3_CHUNK_LINE ? S3_CHUNK_DONE : S3_CHUNK_DATA;
	case S3_CHUNK_TRAILER:
		return s3_chunks_tail(c, data, size, used);
	default: /* Nothing may follow the end or a broken line. */
		return s3_chunks_broken(c);
	}
}

bool s3_trailer(const struct s3_chunks *c, const char *name, char *value, size_t room)
{
	size_t size = strlen(name), n;

	for (const char *at = c->trailers; *at; at = strchr(at, '\n') + 1) {
		if (strncmp(at, name, size) != 0 || at[size] != ':')
			continue;
		n = strcspn(at + size + 1, "\n");
		if (n >= room)
			return false;
		memcpy(value, at + size + 1, n);
		value[n] = '\0';
		return true;
	}
	return false;
}
