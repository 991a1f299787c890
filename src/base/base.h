/* base.h - the words that every folder speaks.  Knows libc only. */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a)            (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, m) ((type *)(void *)((char *)(p)-offsetof(type, m)))
#define printf_like(fmt, args)   __attribute__((format(printf, fmt, args)))
#define must_check               __attribute__((warn_unused_result))
#define autoclose                __attribute__((cleanup(fd_close)))
#define autofree                 __attribute__((cleanup(mem_free)))

#define KIB 1024ULL
#define MIB (1024ULL * KIB)
#define GIB (1024ULL * MIB)

/* Closes *fd unless it is -1, and sets it to -1. errno is preserved. */
void fd_close(int *fd);

/* Frees what an `autofree` pointer owns. @p is the address of the pointer. */
void mem_free(void *p);

/* Hands an owned descriptor over: the cleanup at the end of the scope finds -1. */
static inline int fd_steal(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* These abort the process when memory runs out; the supervisor starts it again. */
void *xmalloc(size_t size) must_check;
void *xcalloc(size_t n, size_t size) must_check;
void *xrealloc(void *p, size_t size) must_check;
char *xstrdup(const char *s) must_check;
char *xasprintf(const char *fmt, ...) printf_like(1, 2) must_check;

#endif
