#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sanitize.h"

/* realloc would return the old block to the allocator without wiping it. */
static void buf_move_secret(struct buf *b, size_t room)
{
	struct buf old = *b;

	b->data = xmalloc(room);
	if (old.size)
		memcpy(b->data, old.data, old.size);
	buf_free(&old);
}

void buf_reserve(struct buf *b, size_t more)
{
	size_t room = b->room ? b->room : 64;

	if (b->room - b->size >= more)
		return;
	while (room - b->size < more)
		room *= 2;
	if (b->secret)
		buf_move_secret(b, room);
	else
		b->data = xrealloc(b->data, room);
	b->room = room;
}

void buf_add(struct buf *b, const void *data, size_t size)
{
	if (!size)
		return;
	if (b->room - b->size < size)
		buf_reserve(b, size);
	memcpy(b->data + b->size, data, size);
	b->size += size;
}

void buf_adds(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void buf_add_number(struct buf *b, uint64_t number)
{
	char text[20], *at = text + sizeof(text);

	do {
		*--at = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	buf_add(b, at, (size_t)(text + sizeof(text) - at));
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	size_t room;
	int n;

	buf_reserve(b, 1);
	room = b->room - b->size;
	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf((char *)b->data + b->size, room, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	if ((size_t)n >= room) {
		buf_reserve(b, (size_t)n + 1);
		vsnprintf((char *)b->data + b->size, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	b->size += (size_t)n;
}

void buf_drop(struct buf *b, size_t n)
{
	assert(n <= b->size);
	if (n && n < b->size)
		memmove(b->data, b->data + n, b->size - n);
	b->size -= n;
}

void buf_clear(struct buf *b)
{
	b->size = 0;
}

void buf_free(struct buf *b)
{
	if (b->secret && b->data)
		explicit_bzero(b->data, b->room);
	free(b->data);
	*b = (struct buf){ .secret = b->secret };
}

void buf_take(struct buf_stock *s, struct buf *b)
{
	if (!b->data && s->n)
		*b = s->at[--s->n];
}

void buf_give(struct buf_stock *s, struct buf *b)
{
	assert(!b->secret);
	/* A sanitizer finds who still uses a buffer only if it is freed. */
	if (BUILT_WITH_ASAN || !b->data || b->room > s->most || s->n >= s->keep) {
		buf_free(b);
		return;
	}
	buf_clear(b);
	s->at[s->n++] = *b;
	*b = (struct buf){ 0 };
}

char *buf_str(struct buf *b)
{
	buf_reserve(b, 1);
	b->data[b->size] = '\0';
	return (char *)b->data;
}
