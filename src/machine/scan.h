/* scan.h - which pages a process has in memory, or has alone: its page map, looked at in stretches.
 *
 * Alone are the pages that a process wrote to in its private mapping of a file: they are anonymous.
 * Kernels from 6.7 on are asked for the pages (PAGEMAP_SCAN), others for an entry of each page
 * (Documentation/admin-guide/mm/pagemap.rst). */
#ifndef MACHINE_SCAN_H
#define MACHINE_SCAN_H

#include "base/err.h"

#define SCAN_RUNS    512 /* of a stretch */
#define SCAN_ENTRIES (2 * SCAN_RUNS)

/* The request of ioctl, for filters of system calls. */
#define SCAN_REQUEST 0xc0606610U

struct scan_run {
	uint64_t first, n;
};

struct scan {
	int pagemap_fd; /* borrowed */
	uint64_t at;    /* address of page 0 */
	uint64_t pages;
	bool alone;    /* what the process has alone, else all that it has */
	bool by_entry; /* this kernel does not scan */
	uint64_t next; /* page that was not looked at yet */
	/* What was found in the last stretch, in the order of addresses. */
	struct scan_run run[SCAN_RUNS];
	size_t n_runs;
};

/* @at: the address of page 0 of @pages. */
void scan_begin(struct scan *s, int pagemap_fd, uint64_t at, uint64_t pages, bool alone);
/* Look at the next stretch: 1, 0 at the end, -1 and *e. */
int scan_step(struct scan *s, struct err *e) must_check;

#endif
