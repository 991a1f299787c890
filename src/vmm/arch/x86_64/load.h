/* load.h - puts a kernel and an initramfs into the guest's memory.  Where a page of the file can be
 * a page of the guest it is mapped, and elsewhere the bytes are read. */
#ifndef VMM_ARCH_X86_64_LOAD_H
#define VMM_ARCH_X86_64_LOAD_H

#include "vmm/mem.h"
#include "vmm/processor/arch.h"

#define LOAD_LEAST MIB /* below it are tables, the command line and what the kernel finds there */

struct load {
	bool elf;       /* PVH; else the 64-bit entry of a bzImage */
	uint64_t entry; /* guest address */
	uint64_t initrd, initrd_size;
	uint8_t header[256]; /* bzImage: its setup header, for the zero page */
	size_t header_size;
};

int load_kernel(struct load *l, const struct mem *m, const struct arch_boot *b,
		struct err *e) must_check;

#endif
