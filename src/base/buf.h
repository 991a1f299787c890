/* buf.h - bytes that grow.  An all-zero struct is an empty buffer; buf_free frees it.
 *
 * A buffer for a secret begins as { .secret = true }: however it grows, no copy
 * of what it held goes back to the allocator. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/base.h"

struct buf {
	uint8_t *data; /* `size` bytes; owned */
	size_t size, room;
	bool secret; /* buf_free does not change it */
};

void buf_reserve(struct buf *b, size_t more); /* room for `more` bytes behind the end */
void buf_add(struct buf *b, const void *data, size_t size);
void buf_adds(struct buf *b, const char *text);
void buf_add_number(struct buf *b, uint64_t number); /* in decimal */
void buf_addf(struct buf *b, const char *fmt, ...) printf_like(2, 3);
void buf_drop(struct buf *b, size_t n); /* the first n bytes */
void buf_clear(struct buf *b);          /* empty, memory kept */
void buf_free(struct buf *b);           /* empty, memory given back */
char *buf_str(struct buf *b); /* NUL-terminated view, valid until the next call; not owned */

/* Buffers that are needed for a moment each: the last that were given back are kept, with their
 * room.  For one thread. */
#define BUF_STOCK_MOST 128
struct buf_stock {
	size_t most; /* the room of one that is kept */
	size_t keep; /* so many, BUF_STOCK_MOST at most */
	size_t n;
	struct buf at[BUF_STOCK_MOST];
};

void buf_take(struct buf_stock *s, struct buf *b); /* if it has no memory yet */
void buf_give(struct buf_stock *s, struct buf *b); /* instead of buf_free */

#define autobuf __attribute__((cleanup(buf_free)))

#endif
