#include "vmm/snap/ram.h"

#include "ipc/touched.h"

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

static uint64_t ram_map[RAM_STEP_PAGES];

/* The page map from page @first of the window on, into ram_map: *n entries, 0 at the end. */
static int ram_look(const struct mem *m, int pagemap_fd, uint64_t first, uint64_t *n, struct err *e)
{
	uint64_t left = m->size / PAGE - first;
	uint64_t page = (uint64_t)(uintptr_t)m->window / PAGE + first;

	*n = left < RAM_STEP_PAGES ? left : RAM_STEP_PAGES;
	return memory_read(pagemap_fd, ram_map, *n * sizeof(ram_map[0]), page * sizeof(ram_map[0]),
			   e);
}

int ram_save_step(struct ram_save *s, struct err *e)
{
	uint64_t n;

	if (ram_look(s->mem, s->pagemap_fd, s->next, &n, e) || ram_save_pages(s, ram_map, n, e))
		return -1;
	s->next += n;
	if (s->next < s->mem->size / PAGE)
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

int ram_touched(const struct mem *m, int pagemap_fd, struct buf *runs, struct err *e)
{
	struct touched t = { .to = runs };
	uint64_t first = 0, n;

	do {
		if (ram_look(m, pagemap_fd, first, &n, e))
			return -1;
		for (uint64_t i = 0; i < n; i++)
			if (memory_has_page(ram_map[i]))
				touched_add(&t, first + i);
		first += n;
	} while (n);
	touched_end(&t);
	return 0;
}
