/* heap.c - malloc for doze-vmm.  It uses one reserved range of address space, rounds sizes up to
 * powers of two, and keeps a list of free blocks for each.
 *
 * The C library's malloc asks the kernel for memory at any time, but once the board is open nothing
 * may be mapped (gen_filters.c).  A monitor allocates little, and most of it at its start; pages
 * that were never used cost nothing.  The 16 bytes before a block name its class.
 *
 * Every function of the family is defined here, so that the linker takes none from the C library. A
 * block of one heap must never reach the functions of the other.  Alignments above 16 are not
 * served, because nothing needs them. */

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEAP_SIZE  (256UL << 20)
#define HEAP_HEAD  16UL
#define HEAP_LEAST 5 /* 32 bytes with the head */
#define HEAP_MAX   26

struct block {
	union {
		struct block *next; /* while it is free */
		uint64_t class;
	} head;
	uint64_t zero;
};

void *pvalloc(size_t size); /* in no header of musl */

static pthread_mutex_t heap_lock = PTHREAD_MUTEX_INITIALIZER;
static struct block *heap_free[HEAP_MAX + 1];
static uint8_t *heap_at, *heap_end;

static unsigned heap_class(size_t size)
{
	unsigned class = HEAP_LEAST;

	while (class <= HEAP_MAX && (1UL << class) - HEAP_HEAD < size)
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
		/* One huge page of 2 MiB would be more than all other memory of a machine. */
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

/* calloc must call this and not malloc, because a compiler turns malloc and memset into calloc. */
static void *heap_alloc(size_t size)
{
	unsigned class = heap_class(size);
	struct block *b = NULL;

	if (class <= HEAP_MAX) {
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

static _Noreturn void heap_refuse(const char *what)
{
	static const char begin[] = "doze-vmm: the heap does not serve ";

	(void)!write(STDERR_FILENO, begin, sizeof(begin) - 1);
	(void)!write(STDERR_FILENO, what, strlen(what));
	(void)!write(STDERR_FILENO, "\n", 1);
	abort();
}

static struct block *heap_block(void *p)
{
	uint8_t *at = (uint8_t *)p - HEAP_HEAD;

	if (!heap_end || at < heap_end - HEAP_SIZE || at >= heap_end)
		heap_refuse("a block that is not the heap's");
	return (struct block *)(void *)at;
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

size_t malloc_usable_size(void *p)
{
	return p ? (1UL << heap_block(p)->head.class) - HEAP_HEAD : 0;
}

void *realloc(void *p, size_t size)
{
	size_t has = malloc_usable_size(p);
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

void *reallocarray(void *p, size_t n, size_t size)
{
	if (!size || n <= SIZE_MAX / size)
		return realloc(p, n * size);
	errno = ENOMEM;
	return NULL;
}

static void *heap_aligned(const char *name, size_t alignment, size_t size)
{
	if (alignment > HEAP_HEAD)
		heap_refuse(name);
	return heap_alloc(size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return heap_aligned("aligned_alloc of more than 16", alignment, size);
}

void *memalign(size_t alignment, size_t size)
{
	return heap_aligned("memalign of more than 16", alignment, size);
}

int posix_memalign(void **to, size_t alignment, size_t size)
{
	void *p = heap_aligned("posix_memalign of more than 16", alignment, size);

	if (!p)
		return ENOMEM;
	*to = p;
	return 0;
}

void *valloc(size_t size)
{
	(void)size;
	heap_refuse("valloc");
}

void *pvalloc(size_t size)
{
	(void)size;
	heap_refuse("pvalloc");
}
