/* slow_disk.c - a disk of so many MiB/s (SLOW_DISK_MIB_S in the environment; without it the disk is
 * what it is).  The writes and syncs of the S3 endpoint go through here (meson.build: --wrap).
 * There is one disk, so one write waits for the other, and a sync waits for all that was written
 * before. */

#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"

#define SLOW_SYNC_MS 10 /* of a sync, besides what it waits for */

static pthread_mutex_t slow_lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t slow_free_us; /* when the disk has done all that it was given */

static int64_t slow_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void slow_wait(size_t size, int64_t more_us)
{
	const char *rate = getenv("SLOW_DISK_MIB_S");
	int64_t now = slow_now_us(), until;

	if (!rate)
		return;
	pthread_mutex_lock(&slow_lock);
	if (slow_free_us < now)
		slow_free_us = now;
	slow_free_us += (int64_t)((double)size / MIB / atof(rate) * 1e6) + more_us;
	until = slow_free_us;
	pthread_mutex_unlock(&slow_lock);
	usleep((useconds_t)(until - now));
}

int __real_io_pwrite_full(int fd, const void *data, size_t size, off_t at);
int __wrap_io_pwrite_full(int fd, const void *data, size_t size, off_t at);
int __real_io_write_full(int fd, const void *data, size_t size);
int __wrap_io_write_full(int fd, const void *data, size_t size);
int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_io_pwrite_full(int fd, const void *data, size_t size, off_t at)
{
	slow_wait(size, 0);
	return __real_io_pwrite_full(fd, data, size, at);
}

int __wrap_io_write_full(int fd, const void *data, size_t size)
{
	slow_wait(size, 0);
	return __real_io_write_full(fd, data, size);
}

int __wrap_fsync(int fd)
{
	slow_wait(0, SLOW_SYNC_MS * 1000);
	return __real_fsync(fd);
}
