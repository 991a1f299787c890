#include "disk.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/io.h"

static struct {
	pthread_mutex_t lock;
	pthread_cond_t released;
	unsigned calls, fail_at, held, holding, releases; /* holding: 1 << call */
	int errnum, forever;
} disk = { .lock = PTHREAD_MUTEX_INITIALIZER, .released = PTHREAD_COND_INITIALIZER };

void disk_fail(unsigned n, int errnum, int forever)
{
	pthread_mutex_lock(&disk.lock);
	disk.calls = 0;
	disk.fail_at = n;
	disk.errnum = errnum;
	disk.forever = forever;
	pthread_mutex_unlock(&disk.lock);
}

unsigned disk_calls(void)
{
	unsigned n;

	pthread_mutex_lock(&disk.lock);
	n = disk.calls;
	pthread_mutex_unlock(&disk.lock);
	return n;
}

void disk_hold(enum disk_call call)
{
	pthread_mutex_lock(&disk.lock);
	disk.holding |= 1u << call;
	pthread_mutex_unlock(&disk.lock);
}

void disk_hold_no_more(void)
{
	pthread_mutex_lock(&disk.lock);
	disk.holding = 0;
	pthread_mutex_unlock(&disk.lock);
}

unsigned disk_held(void)
{
	unsigned n;

	pthread_mutex_lock(&disk.lock);
	n = disk.held;
	pthread_mutex_unlock(&disk.lock);
	return n;
}

void disk_release(void)
{
	pthread_mutex_lock(&disk.lock);
	disk.holding = 0;
	disk.releases++;
	pthread_cond_broadcast(&disk.released);
	pthread_mutex_unlock(&disk.lock);
}

/* 0: the call goes to the disk; else the errno to fail with. */
static int disk_say(enum disk_call call)
{
	int errnum = 0;

	pthread_mutex_lock(&disk.lock);
	disk.calls++;
	if (disk.fail_at &&
	    (disk.calls == disk.fail_at || (disk.forever && disk.calls > disk.fail_at)))
		errnum = disk.errnum;
	if (disk.holding & (1u << call)) {
		unsigned releases = disk.releases;

		disk.held++;
		while (disk.releases == releases)
			pthread_cond_wait(&disk.released, &disk.lock);
		disk.held--;
	}
	pthread_mutex_unlock(&disk.lock);
	return errnum;
}

/* clang-format off */
#define DISK_WRAP(type, name, call, failed, params, args)	\
	type __real_##name params;				\
	type __wrap_##name params;				\
	type __wrap_##name params				\
	{							\
		int errnum = disk_say(call);			\
								\
		errno = errnum;					\
		return errnum ? (type)(failed) : __real_##name args;	\
	}

DISK_WRAP(int, io_open_below, DISK_OPEN, -errnum, (int dir, const char *path, int flags, mode_t mode), (dir, path, flags, mode))
DISK_WRAP(int, io_read_all, DISK_READ, -errnum, (int fd, struct buf *b, size_t most), (fd, b, most))
DISK_WRAP(int, io_pread_full, DISK_READ, -errnum, (int fd, void *to, size_t size, off_t at), (fd, to, size, at))
DISK_WRAP(int, io_write_full, DISK_WRITE, -errnum, (int fd, const void *data, size_t size), (fd, data, size))
DISK_WRAP(int, io_pwrite_full, DISK_WRITE, -errnum, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
DISK_WRAP(ssize_t, copy_file_range, DISK_WRITE, -1, (int from, off_t *at, int to, off_t *to_at, size_t size, unsigned flags), (from, at, to, to_at, size, flags))
DISK_WRAP(int, fsync, DISK_SYNC, -1, (int fd), (fd))
DISK_WRAP(int, renameat, DISK_RENAME, -1, (int from_dir, const char *from, int dir, const char *to), (from_dir, from, dir, to))
DISK_WRAP(int, renameat2, DISK_RENAME, -1, (int from_dir, const char *from, int dir, const char *to, unsigned flags), (from_dir, from, dir, to, flags))
DISK_WRAP(int, io_mkdir, DISK_MKDIR, -errnum, (int dir, const char *name, mode_t mode), (dir, name, mode))
/* clang-format on */
