/* scan.h - finds the pages that a process has in memory, or has for itself, by walking its page map
 * in stretches.
 *
 * A process has a page for itself when it wrote to its private mapping of a file: the page is then
 * anonymous.  Kernels from 6.7 on list such pages (PAGEMAP_SCAN); on older ones the entry of every
 * page is read (Documentation/admin-guide/mm/pagemap.rst). */
#ifndef MACHINE_SCAN_H
#define MACHINE_SCAN_H

#include "base/err.h"

#define SCAN_RUNS    512 /* of a stretch */
#define SCAN_ENTRIES (2 * SCAN_RUNS)

/* The ioctl request, for system call filters. */
#define SCAN_REQUEST 0xc0606610U

struct scan_run {
	uint64_t first, n;
};

struct scan {
	int pagemap_fd; /* borrowed */
	uint64_t at;    /* address of page 0 */
	uint64_t pages;
	bool alone;    /* only what the process has for itself */
	bool by_entry; /* this kernel has no PAGEMAP_SCAN */
	uint64_t next; /* the first page that was not looked at yet */
	/* What the last stretch found, by ascending address. */
	struct scan_run run[SCAN_RUNS];
	size_t n_runs;
};

/* @at is the address of page 0. */
void scan_begin(struct scan *s, int pagemap_fd, uint64_t at, uint64_t pages, bool alone);
/* Look at the next stretch.  Returns 1, 0 at the end, or -1 with *e. */
int scan_step(struct scan *s, struct err *e) must_check;

#endif
