/* mem.h - the guest's memory: one window of address space, at most two ranges of guest addresses.
 *
 * The window's place is chosen once.  KVM's memory slots point into it before anything is mapped
 * there, and an image's memory is then mapped once, copy-on-write.  Byte 0 of the window is byte 0
 * of a snapshot's MEMORY file.  In both, guest addresses from MEM_HIGH on directly follow those
 * below MEM_LOW_MAX.
 *
 * A guest address is a stranger's number.  mem_slice is the only way to make a pointer of it. */
#ifndef VMM_MEM_H
#define VMM_MEM_H

#include "base/err.h"

#define MEM_LOW_MAX (3 * GIB) /* RAM below the hole for devices */
#define MEM_HIGH    (4 * GIB) /* the rest begins here */
#define MEM_RANGES  2

struct mem_range {
	uint64_t gpa, size;
	uint64_t offset; /* in the window and in a MEMORY file */
};

struct mem {
	uint8_t *window; /* owned: size bytes of address space, empty until something is attached */
	uint64_t size;
	struct mem_range range[MEM_RANGES];
	unsigned n_ranges;
};

/* Choose the place of this process's one window, of @size bytes (whole pages).  Nothing is mapped.
 */
int mem_reserve(struct mem *m, uint64_t size, struct err *e) must_check;
void mem_release(struct mem *m);

/* Map memory into the window, once: empty pages, or @fd (of the window's size) copy-on-write.  It
 * fails if something is mapped there, since nothing may be replaced. */
int mem_attach_empty(struct mem *m, struct err *e) must_check;
int mem_attach_file(struct mem *m, int fd, struct err *e) must_check;

/* For tests: use the caller's @size bytes at @bytes as a guest's memory. */
void mem_borrow(struct mem *m, void *bytes, uint64_t size);

/* Returns the @len bytes at the guest's address @gpa, or NULL if they do not all lie in one range
 * or
 * @len is 0.  The guest can change them at any time, so read each once, then check. */
void *mem_slice(const struct mem *m, uint64_t gpa, uint64_t len);

#endif
