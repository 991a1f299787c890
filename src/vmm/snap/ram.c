#include "vmm/snap/ram.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"

#define PAGE        ((uint64_t)FORMAT_PAGE)
#define BATCH_PAGES 64U /* of an image, compared at once */

/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGE_PRESENT (1ULL << 63)
#define PAGE_SWAPPED (1ULL << 62)
#define PAGE_FILE    (1ULL << 61)

static const uint8_t zeros[FORMAT_PAGE];

static bool ram_is_zero(const uint8_t *page)
{
	return !memcmp(page, zeros, PAGE);
}

static int ram_write(struct ram_save *s, uint64_t first, uint64_t n, struct err *e)
{
	const uint8_t *from = s->mem->window + first * PAGE;
	int rc = io_pwrite_full(s->to, from, n * PAGE, (off_t)(first * PAGE));

	s->written += n * PAGE;
	errno = -rc;
	return rc ? err_sys(e, "write the guest's memory") : 0;
}

/* What is not zero in these pages, in as few pieces as there are. */
static int ram_put(struct ram_save *s, uint64_t first, uint64_t n, struct err *e)
{
	const uint8_t *at = s->mem->window + first * PAGE;
	uint64_t i = 0;

	while (i < n) {
		uint64_t begin;

		while (i < n && ram_is_zero(at + i * PAGE))
			i++;
		for (begin = i; i < n && !ram_is_zero(at + i * PAGE);)
			i++;
		if (i > begin && ram_write(s, first + begin, i - begin, e))
			return -1;
	}
	return 0;
}

static int ram_pread(int fd, void *to, uint64_t size, uint64_t at, struct err *e)
{
	uint8_t *p = to;

	while (size) {
		ssize_t n = pread(fd, p, size, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (!n)
			errno = ENODATA;
		if (n <= 0)
			return err_sys(e, "read the snapshot's memory");
		p += n;
		at += (uint64_t)n;
		size -= (uint64_t)n;
	}
	return 0;
}

/* Pages that are this process's own: those that differ become runs. */
static int ram_compare(struct ram_save *s, uint64_t first, uint64_t n, struct err *e)
{
	static uint8_t image[BATCH_PAGES * FORMAT_PAGE];
	const uint8_t *own = s->mem->window + first * PAGE;
	uint64_t i = 0;

	if (ram_pread(s->image_fd, image, n * PAGE, first * PAGE, e))
		return -1;
	while (i < n) {
		uint64_t begin;

		while (i < n && !memcmp(own + i * PAGE, image + i * PAGE, PAGE))
			i++;
		for (begin = i; i < n && memcmp(own + i * PAGE, image + i * PAGE, PAGE) != 0;)
			i++;
		if (i == begin)
			continue;
		format_add_run(&s->runs, first + begin, i - begin);
		if (ram_put(s, first + begin, i - begin, e))
			return -1;
	}
	return 0;
}

/* Of an image all pages that are there; of a save those that are ours. */
static bool ram_wanted(const struct ram_save *s, uint64_t entry)
{
	if (s->image_fd < 0)
		return entry & (PAGE_SWAPPED | PAGE_PRESENT);
	return entry & PAGE_SWAPPED || (entry & (PAGE_PRESENT | PAGE_FILE)) == PAGE_PRESENT;
}

static int ram_save_pages(struct ram_save *s, const uint64_t *map, uint64_t n, struct err *e)
{
	uint64_t i = 0;

	while (i < n) {
		uint64_t begin;
		int rc;

		while (i < n && !ram_wanted(s, map[i]))
			i++;
		for (begin = i; i < n && i - begin < BATCH_PAGES && ram_wanted(s, map[i]);)
			i++;
		if (i == begin)
			continue;
		rc = s->image_fd < 0 ? ram_put(s, s->next + begin, i - begin, e)
				     : ram_compare(s, s->next + begin, i - begin, e);
		if (rc)
			return -1;
	}
	return 0;
}

int ram_save_step(struct ram_save *s, struct err *e)
{
	static uint64_t map[RAM_STEP_PAGES];
	uint64_t all = s->mem->size / PAGE, left = all - s->next;
	uint64_t n = left < RAM_STEP_PAGES ? left : RAM_STEP_PAGES;
	uint64_t page = (uint64_t)(uintptr_t)s->mem->window / PAGE + s->next;

	if (ram_pread(s->pagemap_fd, map, n * sizeof(map[0]), page * sizeof(map[0]), e) ||
	    ram_save_pages(s, map, n, e))
		return -1;
	s->next += n;
	if (s->next < all)
		return 0;
	if (ftruncate(s->to, (off_t)s->mem->size))
		return err_sys(e, "size the file of the guest's memory");
	return 1;
}

int ram_lay(const struct mem *m, int from, const struct format *f, struct err *e)
{
	for (size_t i = 0; i < f->n_runs; i++) {
		struct format_run run = format_run(f, i);

		if (ram_pread(from, m->window + run.first * PAGE, run.n * PAGE, run.first * PAGE,
			      e))
			return -1;
	}
	return 0;
}
