/* mem.h - the guest's memory: one window of address space, at most two ranges of guest addresses.
 *
 * The window's place is chosen once: KVM's memory slots point into it before anything is mapped
 * there (an image's memory, copy-on-write), which happens once.  Byte 0 of the window is byte 0 of
 * a snapshot's MEMORY file; guest addresses from MEM_HIGH on follow directly behind the last one
 * below MEM_LOW_MOST.
 *
 * A guest address is a stranger's number: the only way from it to a pointer is mem_slice. */
#ifndef VMM_MEM_H
#define VMM_MEM_H

#include "base/err.h"

#define MEM_LOW_MOST (3 * GIB) /* RAM below the hole for devices */
#define MEM_HIGH     (4 * GIB) /* the rest begins here */
#define MEM_RANGES   2

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

/* Choose a place for @size bytes (whole pages), of this process's one window; nothing is there yet.
 */
int mem_reserve(struct mem *m, uint64_t size, struct err *e) must_check;
void mem_release(struct mem *m);

/* Put memory behind the window, once: empty pages, or @fd (of the window's size) copy-on-write.  An
 * error where something is there already: nothing is replaced. */
int mem_attach_empty(struct mem *m, struct err *e) must_check;
int mem_attach_file(struct mem *m, int fd, struct err *e) must_check;

/* Memory of others, for tests: a guest of @size bytes at @bytes. */
void mem_borrow(struct mem *m, void *bytes, uint64_t size);

/* @len bytes at the guest's address @gpa, or NULL if not all of them are in one range.  A length of
 * 0 is NULL.  The guest changes them while we look: read once, then check. */
void *mem_slice(const struct mem *m, uint64_t gpa, uint64_t len);

#endif
