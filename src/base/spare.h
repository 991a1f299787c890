/* spare.h - blocks of one size that are made and freed very often: the last that were freed are
 * kept for the next.  For one thread; a struct spare begins as SPARE(size). */
#ifndef BASE_SPARE_H
#define BASE_SPARE_H

#include "base/base.h"

#define SPARE_MOST 256

struct spare {
	size_t size, n;
	void *at[SPARE_MOST];
};

#define SPARE(bytes)            \
	{                       \
		.size = (bytes) \
	}

/* The first @zeroed bytes are zero, and the others anything. */
void *spare_take(struct spare *s, size_t zeroed) must_check;
void spare_give(struct spare *s, void *block); /* instead of free; NULL is ignored */

#endif
