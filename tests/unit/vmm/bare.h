/* bare.h - a board without KVM, for what loads and saves devices: memory, a disk, every device of
 * the board, one vCPU.
 *
 * ioctl is this folder's: what KVM and the tap are asked for succeeds, and does nothing. */
#ifndef TEST_VMM_BARE_H
#define TEST_VMM_BARE_H

#include "vmm/arch/x86_64/cpuid.h"
#include "vmm/board.h"

struct bare {
	struct board board;
	struct cpuid cpuid; /* none; the caller's to fill in */
	int wire;           /* the other end of the tap: datagrams */
};

/* @b is zero. Memory and disk in bytes; both are empty. Aborts where it cannot. */
void bare_open(struct bare *b, uint64_t memory, uint64_t disk);
void bare_close(struct bare *b);

#endif
