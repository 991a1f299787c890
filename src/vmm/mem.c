#include "vmm/mem.h"

#include <sys/mman.h>

#define MEM_PAGE 4096

static void mem_lay_out(struct mem *m)
{
	uint64_t low = m->size < MEM_LOW_MOST ? m->size : MEM_LOW_MOST;

	m->range[0] = (struct mem_range){ 0, low, 0 };
	m->range[1] = (struct mem_range){ MEM_HIGH, m->size - low, low };
	m->n_ranges = m->size > low ? 2 : 1;
}

int mem_reserve(struct mem *m, uint64_t size, struct err *e)
{
	void *window;

	*m = (struct mem){ 0 };
	if (!size || size % MEM_PAGE)
		return err_set(e, ERR_INVALID, "a guest's memory is whole pages");
	window = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (window == MAP_FAILED)
		return err_sys(e, "reserve address space for the guest's memory");
	m->window = window;
	m->size = size;
	mem_lay_out(m);
	return 0;
}

void mem_release(struct mem *m)
{
	if (m->window)
		munmap(m->window, m->size);
	*m = (struct mem){ 0 };
}

static int mem_map(const struct mem *m, int flags, int fd, struct err *e)
{
	void *at = mmap(m->window, m->size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE | flags, fd, 0);

	return at == MAP_FAILED ? err_sys(e, "map the guest's memory") : 0;
}

int mem_attach_empty(struct mem *m, struct err *e)
{
	return mem_map(m, MAP_ANONYMOUS, -1, e);
}

int mem_attach_file(struct mem *m, int fd, struct err *e)
{
	return mem_map(m, 0, fd, e);
}

void mem_borrow(struct mem *m, void *bytes, uint64_t size)
{
	*m = (struct mem){ .window = bytes, .size = size };
	mem_lay_out(m);
}

void *mem_slice(const struct mem *m, uint64_t gpa, uint64_t len)
{
	for (unsigned i = 0; i < m->n_ranges && len; i++) {
		const struct mem_range *r = &m->range[i];

		if (gpa >= r->gpa && gpa - r->gpa < r->size && len <= r->size - (gpa - r->gpa))
			return m->window + r->offset + (gpa - r->gpa);
	}
	return NULL;
}
