#include "vmm/snap/ram.h"

#define PAGE        ((uint64_t)FORMAT_PAGE)
#define BATCH_PAGES 64U /* of an image, compared at once */

/* Of an image what is not zero; of a save what differs from the image becomes runs. */
static int ram_put(struct ram_save *s, uint64_t first, uint64_t n, struct err *e)
{
	static uint8_t image[BATCH_PAGES * FORMAT_PAGE];
	const uint8_t *own = s->mem->window + first * PAGE;

	if (s->image_fd < 0)
		return memory_put(&s->to, own, first, n, e);
	if (memory_read(s->image_fd, image, n * PAGE, first * PAGE, e))
		return -1;
	return memory_put_changed(&s->to, own, image, first, n, &s->runs, e);
}

/* Of an image all pages that are there; of a save those that are ours. */
static bool ram_wanted(const struct ram_save *s, uint64_t entry)
{
	return s->image_fd < 0 ? memory_has_page(entry) : memory_owns_page(entry);
}

static int ram_save_pages(struct ram_save *s, const uint64_t *map, uint64_t n, struct err *e)
{
	uint64_t i = 0;

	while (i < n) {
		uint64_t begin;

		while (i < n && !ram_wanted(s, map[i]))
			i++;
		for (begin = i; i < n && i - begin < BATCH_PAGES && ram_wanted(s, map[i]);)
			i++;
		if (i > begin && ram_put(s, s->next + begin, i - begin, e))
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

	if (memory_read(s->pagemap_fd, map, n * sizeof(map[0]), page * sizeof(map[0]), e) ||
	    ram_save_pages(s, map, n, e))
		return -1;
	s->next += n;
	if (s->next < all)
		return 0;
	return memory_end(&s->to, s->mem->size, e) ? -1 : 1;
}

int ram_lay(const struct mem *m, int from, const struct format *f, struct err *e)
{
	for (size_t i = 0; i < f->n_runs; i++) {
		struct format_run run = format_run(f, i);

		if (memory_read(from, m->window + run.first * PAGE, run.n * PAGE, run.first * PAGE,
				e))
			return -1;
	}
	return 0;
}
