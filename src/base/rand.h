/* rand.h - random bytes from the kernel, and identifiers made of them. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include "base/base.h"

#define UUID_SIZE 37 /* 36 characters and the NUL */

/* Bytes that the kernel gave in advance, for who needs a few of them very often.  Each byte is
 * given out once and wiped.  The owner must be a process that neither forks nor is restored from a
 * snapshot, since both would give the same bytes out again.  All zero: empty. */
struct rand_stock {
	uint8_t bytes[2048];
	size_t left; /* at the end of bytes */
};

void rand_bytes(void *to, size_t size); /* aborts if the kernel has none */
void rand_uuid(char out[UUID_SIZE]);    /* RFC 4122 version 4, lower case */
void rand_draw(struct rand_stock *s, void *to, size_t size);
void rand_draw_uuid(struct rand_stock *s, char out[UUID_SIZE]);
bool uuid_valid(const char *text); /* true for exactly that form */

#endif
