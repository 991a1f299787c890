/* heap.c - malloc for doze-vmm: one reserved piece of address space, sizes rounded up to powers of
 * two, a list of free blocks for each.
 *
 * The C library's asks the kernel for more whenever it likes, and after the shell is open nothing
 * may be mapped (gen_filters.c).  Little is allocated in a monitor's life and most of it at its
 * begin; pages that were never used cost nothing.  A block is preceded by 16 bytes that name its
 * class. */

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HEAP_SIZE  (256UL << 20)
#define HEAP_HEAD  16UL
#define HEAP_LEAST 5 /* 32 bytes with the head */
#define HEAP_MOST  26

struct block {
	union {
		struct block *next; /* while it is free */
		uint64_t class;
	} head;
	uint64_t zero;
};

static pthread_mutex_t heap_lock = PTHREAD_MUTEX_INITIALIZER;
static struct block *heap_free[HEAP_MOST + 1];
static uint8_t *heap_at, *heap_end;

static unsigned heap_class(size_t size)
{
	unsigned class = HEAP_LEAST;

	while (class <= HEAP_MOST && (1UL << class) - HEAP_HEAD < size)
		class ++;
	return class;
}

static struct block *heap_new(unsigned class)
{
	struct block *b = heap_free[class];

	if (b) {
		heap_free[class] = b->head.next;
		return b;
	}
	if (!heap_at) {
		void *all = mmap(NULL, HEAP_SIZE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (all == MAP_FAILED)
			return NULL;
		/* A first page of 2 MiB would be more than all else that a machine has. */
		madvise(all, HEAP_SIZE, MADV_NOHUGEPAGE);
		heap_at = all;
		heap_end = heap_at + HEAP_SIZE;
	}
	if ((size_t)(heap_end - heap_at) < 1UL << class)
		return NULL;
	b = (struct block *)(void *)heap_at;
	heap_at += 1UL << class;
	return b;
}

/* Not malloc by name: a compiler makes of malloc and memset a call of calloc, which this is. */
static void *heap_alloc(size_t size)
{
	unsigned class = heap_class(size);
	struct block *b = NULL;

	if (class <= HEAP_MOST) {
		pthread_mutex_lock(&heap_lock);
		b = heap_new(class);
		pthread_mutex_unlock(&heap_lock);
	}
	if (!b) {
		errno = ENOMEM;
		return NULL;
	}
	b->head.class = class;
	return (uint8_t *)b + HEAP_HEAD;
}

void *malloc(size_t size)
{
	return heap_alloc(size);
}

static struct block *heap_block(void *p)
{
	return (struct block *)(void *)((uint8_t *)p - HEAP_HEAD);
}

void free(void *p)
{
	struct block *b;
	unsigned class;

	if (!p)
		return;
	b = heap_block(p);
	class = (unsigned)b->head.class;
	pthread_mutex_lock(&heap_lock);
	b->head.next = heap_free[class];
	heap_free[class] = b;
	pthread_mutex_unlock(&heap_lock);
}

void *calloc(size_t n, size_t size)
{
	void *p = NULL;

	if (!size || n <= SIZE_MAX / size)
		p = heap_alloc(n * size);
	else
		errno = ENOMEM;
	return p ? memset(p, 0, n * size) : NULL;
}

void *realloc(void *p, size_t size)
{
	size_t has = p ? (1UL << heap_block(p)->head.class) - HEAP_HEAD : 0;
	void *new;

	if (p && size <= has)
		return p;
	new = heap_alloc(size);
	if (!new)
		return NULL;
	if (p)
		memcpy(new, p, has);
	free(p);
	return new;
}
