/* A block that realloc moves is freed as it is, so that one which still holds the text is a
 * leftover even if the new block is wiped later. */
#include "leftover.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static const char *watched;
static unsigned found;

void __real_free(void *p);
void *__real_realloc(void *p, size_t size);

void leftover_watch(const char *text)
{
	watched = text;
	found = 0;
}

unsigned leftover_found(void)
{
	return found;
}

static void look(void *p)
{
	if (p && watched && memmem(p, malloc_usable_size(p), watched, strlen(watched)))
		found++;
}

void __wrap_free(void *p)
{
	look(p);
	__real_free(p);
}

void *__wrap_realloc(void *p, size_t size)
{
	look(p);
	return __real_realloc(p, size);
}
