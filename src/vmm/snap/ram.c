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

static int ram_put_run(struct ram_save *s, struct scan_run run, struct err *e)
{
	while (run.n) {
		uint64_t n = run.n < BATCH_PAGES ? run.n : BATCH_PAGES;

		if (ram_put(s, run.first, n, e))
			return -1;
		run.first += n;
		run.n -= n;
	}
	return 0;
}

static void ram_scan(struct scan *s, const struct mem *m, int pagemap_fd, bool alone)
{
	scan_begin(s, pagemap_fd, (uintptr_t)m->window, m->size / PAGE, alone);
}

/* Of an image all pages that are there; of a save those that are ours. */
void ram_save_begin(struct ram_save *s, const struct mem *m, int pagemap_fd, int image_fd, int to)
{
	s->mem = m;
	s->image_fd = image_fd;
	s->to = (struct memory_file){ .fd = to };
	ram_scan(&s->scan, m, pagemap_fd, image_fd >= 0);
}

int ram_save_step(struct ram_save *s, struct err *e)
{
	int rc = scan_step(&s->scan, e);

	if (rc < 0)
		return -1;
	for (size_t i = 0; i < s->scan.n_runs; i++)
		if (ram_put_run(s, s->scan.run[i], e))
			return -1;
	if (rc)
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
	static struct scan scan;
	struct touched t = { .to = runs };
	int rc;

	ram_scan(&scan, m, pagemap_fd, false);
	while ((rc = scan_step(&scan, e)) > 0)
		for (size_t i = 0; i < scan.n_runs; i++)
			touched_add(&t, scan.run[i].first, scan.run[i].n);
	touched_end(&t);
	return rc;
}
