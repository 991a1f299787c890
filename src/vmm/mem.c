#include "vmm/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#define MEM_PAGE   4096
#define MEM_HUGE   (2 * MIB)
#define MEM_PLACE  (32 * 1024 * GIB) /* a window begins here or in one of the next GiB */
#define MEM_PLACES 32768

static void mem_lay_out(struct mem *m)
{
	uint64_t low = m->size < MEM_LOW_MAX ? m->size : MEM_LOW_MAX;

	m->range[0] = (struct mem_range){ 0, low, 0 };
	m->range[1] = (struct mem_range){ MEM_HIGH, m->size - low, low };
	m->n_ranges = m->size > low ? 2 : 1;
}

/* Choose a place far from all mappings of the kernel, so that no page table is shared with them and
 * nothing has to be removed before the window is mapped.  Random bytes make the place
 * unpredictable. */
static uint8_t *mem_place(uint64_t size)
{
	uint64_t huge_left = (-size % GIB) / MEM_HUGE; /* of the last GiB */
	uint64_t random, place;

	memcpy(&random, (const uint8_t *)getauxval(AT_RANDOM) + sizeof(random), sizeof(random));
	place = MEM_PLACE + random % MEM_PLACES * GIB;
	place += random / MEM_PLACES % (huge_left + 1) * MEM_HUGE;
	return (uint8_t *)(uintptr_t)place;
}

int mem_reserve(struct mem *m, uint64_t size, struct err *e)
{
	*m = (struct mem){ 0 };
	if (!size || size % MEM_PAGE)
		return err_set(e, ERR_INVALID, "a guest's memory is whole pages");
	m->window = mem_place(size);
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

/* A kernel without MAP_FIXED_NOREPLACE (before 4.17) takes the address for a hint. */
static int mem_map(const struct mem *m, int flags, int fd, struct err *e)
{
	void *at = mmap(m->window, m->size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_FIXED_NOREPLACE | MAP_NORESERVE | flags, fd, 0);

	if (at == m->window)
		return 0;
	if (at != MAP_FAILED)
		errno = EEXIST;
	return err_sys(e, "map the guest's memory");
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
