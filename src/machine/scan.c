#include "machine/scan.h"

#include <sys/ioctl.h>

#include "machine/memory.h"

#define PAGE      ((uint64_t)FORMAT_PAGE)
#define PAGES_MAX 4096 /* found in one stretch */

#define PAGE_PRESENT (1ULL << 63)
#define PAGE_SWAPPED (1ULL << 62)
#define PAGE_FILE    (1ULL << 61)

/* linux/fs.h of 6.7. */
#define PM_FILE    (1ULL << 2)
#define PM_PRESENT (1ULL << 3)
#define PM_SWAPPED (1ULL << 4)

struct pm_region {
	uint64_t start, end, categories;
};

struct pm_scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t inverted, mask, any_of, returned;
};
static_assert(SCAN_REQUEST == _IOWR('f', 16, struct pm_scan), "as linux/fs.h has it");

void scan_begin(struct scan *s, int pagemap_fd, uint64_t at, uint64_t pages, bool alone)
{
	s->pagemap_fd = pagemap_fd;
	s->at = at;
	s->pages = pages;
	s->alone = alone;
	s->by_entry = false;
	s->next = 0;
	s->n_runs = 0;
}

static void scan_add(struct scan *s, uint64_t first, uint64_t n)
{
	struct scan_run *last = s->n_runs ? &s->run[s->n_runs - 1] : NULL;

	if (last && last->first + last->n == first)
		last->n += n;
	else
		s->run[s->n_runs++] = (struct scan_run){ first, n };
}

/* Returns false if the kernel does not know the request. */
static bool scan_regions(struct scan *s)
{
	static struct pm_region found[SCAN_RUNS];
	struct pm_scan arg = {
		.size = sizeof(arg),
		.start = s->at + s->next * PAGE,
		.end = s->at + s->pages * PAGE,
		.vec = (uintptr_t)found,
		.vec_len = SCAN_RUNS,
		.max_pages = PAGES_MAX,
		.inverted = s->alone ? PM_FILE : 0,
		.mask = s->alone ? PM_FILE : 0,
		.any_of = PM_PRESENT | PM_SWAPPED,
		.returned = PM_PRESENT | PM_SWAPPED,
	};
	int n = ioctl(s->pagemap_fd, SCAN_REQUEST, &arg);

	if (n < 0 || arg.walk_end <= arg.start || arg.walk_end > arg.end)
		return false;
	for (int i = 0; i < n; i++)
		scan_add(s, (found[i].start - s->at) / PAGE,
			 (found[i].end - found[i].start) / PAGE);
	s->next = (arg.walk_end - s->at) / PAGE;
	return true;
}

static bool scan_wants(const struct scan *s, uint64_t entry)
{
	if (entry & PAGE_SWAPPED)
		return true;
	return entry & PAGE_PRESENT && !(s->alone && entry & PAGE_FILE);
}

static int scan_entries(struct scan *s, struct err *e)
{
	static uint64_t entry[SCAN_ENTRIES];
	uint64_t left = s->pages - s->next, n = left < SCAN_ENTRIES ? left : SCAN_ENTRIES;

	if (memory_read(s->pagemap_fd, entry, n * sizeof(entry[0]),
			(s->at / PAGE + s->next) * sizeof(entry[0]), e))
		return -1;
	for (uint64_t i = 0; i < n; i++)
		if (scan_wants(s, entry[i]))
			scan_add(s, s->next + i, 1);
	s->next += n;
	return 0;
}

int scan_step(struct scan *s, struct err *e)
{
	s->n_runs = 0;
	if (s->next == s->pages)
		return 0;
	if (!s->by_entry && scan_regions(s))
		return 1;
	s->by_entry = true;
	return scan_entries(s, e) ? -1 : 1;
}
