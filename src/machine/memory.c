#include "machine/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"

#define PAGE ((uint64_t)FORMAT_PAGE)

static bool memory_is_zero(const uint8_t *page)
{
	static const uint8_t zeros[FORMAT_PAGE];

	return !memcmp(page, zeros, PAGE);
}

int memory_read(int fd, void *to, uint64_t size, uint64_t at, struct err *e)
{
	int rc = io_pread_full(fd, to, size, (off_t)at);

	errno = -rc;
	return rc ? err_sys(e, "read the guest's memory at %" PRIx64, at) : 0;
}

int memory_write(int fd, const void *from, uint64_t size, uint64_t at, struct err *e)
{
	int rc = io_pwrite_full(fd, from, size, (off_t)at);

	errno = -rc;
	return rc ? err_sys(e, "write the guest's memory at %" PRIx64, at) : 0;
}

int memory_put(struct memory_file *f, const uint8_t *data, uint64_t first, uint64_t n,
	       struct err *e)
{
	uint64_t i = 0;

	while (i < n) {
		uint64_t begin;

		while (i < n && memory_is_zero(data + i * PAGE))
			i++;
		for (begin = i; i < n && !memory_is_zero(data + i * PAGE);)
			i++;
		if (memory_write(f->fd, data + begin * PAGE, (i - begin) * PAGE,
				 (first + begin) * PAGE, e))
			return -1;
		f->written += (i - begin) * PAGE;
	}
	return 0;
}

int memory_put_changed(struct memory_file *f, const uint8_t *data, const uint8_t *image,
		       uint64_t first, uint64_t n, struct buf *runs, struct err *e)
{
	uint64_t i = 0;

	while (i < n) {
		uint64_t begin;

		while (i < n && !memcmp(data + i * PAGE, image + i * PAGE, PAGE))
			i++;
		for (begin = i; i < n && memcmp(data + i * PAGE, image + i * PAGE, PAGE) != 0;)
			i++;
		if (i == begin)
			break;
		format_add_run(runs, first + begin, i - begin);
		if (memory_put(f, data + begin * PAGE, first + begin, i - begin, e))
			return -1;
	}
	return 0;
}

int memory_end(const struct memory_file *f, uint64_t size, struct err *e)
{
	return ftruncate(f->fd, (off_t)size) ? err_sys(e, "size the file of the guest's memory")
					     : 0;
}
