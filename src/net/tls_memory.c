#include "net/tls_memory.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "base/base.h"
#include "base/sanitize.h"

#define RECORD_LEAST (16 * KIB)         /* the smallest of these buffers is larger */
#define RECORD_MOST  (17 * KIB + 256)   /* the largest is not */
#define RECORD_ROOM  (RECORD_MOST + 64) /* what no other block of this size is likely to have */
#define RECORD_KEPT  8

static _Thread_local struct {
	void *at[RECORD_KEPT];
	size_t n;
} records;

static void *record_take(size_t size, const char *file, int line)
{
	(void)file, (void)line;
	if (size <= RECORD_LEAST || size > RECORD_MOST)
		return malloc(size);
	return records.n ? records.at[--records.n] : malloc(RECORD_MOST);
}

static void *record_resize(void *block, size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return realloc(block, size);
}

/* Any block with enough room may be the next one, whoever took it. */
static void record_give(void *block, const char *file, int line)
{
	size_t room = malloc_usable_size(block);

	(void)file, (void)line;
	if (room >= RECORD_MOST && room < RECORD_ROOM && records.n < RECORD_KEPT)
		records.at[records.n++] = block;
	else
		free(block);
}

void tls_memory_begin(void)
{
	if (!BUILT_WITH_ASAN)
		(void)CRYPTO_set_mem_functions(record_take, record_resize, record_give);
}
