#include "base/spare.h"

#include <stdlib.h>
#include <string.h>

#include "base/sanitize.h"

void *spare_take(struct spare *s, size_t zeroed)
{
	void *block;

	assert(zeroed <= s->size);
	block = s->n ? s->at[--s->n] : xmalloc(s->size);
	return memset(block, 0, zeroed);
}

void spare_give(struct spare *s, void *block)
{
	/* A sanitizer finds who still uses a block only if it is freed. */
	if (BUILT_WITH_ASAN || s->n == SPARE_MOST)
		free(block);
	else if (block)
		s->at[s->n++] = block;
}
