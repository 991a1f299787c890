/* bzimage.h - reads the setup header of a bzImage (the kernel's Documentation/x86/boot.rst).  Pure.
 * A stranger may have made the file, so no number in it is trusted; fuzzed. */
#ifndef VMM_ARCH_X86_64_BZIMAGE_H
#define VMM_ARCH_X86_64_BZIMAGE_H

#include "base/err.h"

#define BZIMAGE_HEAD   4096  /* bytes of the file that bzimage_read wants */
#define BZIMAGE_HEADER 0x1f1 /* the setup header, here and in the zero page */

struct bzimage {
	uint64_t offset, size; /* the part of the file that is loaded */
	uint64_t gpa;          /* to there */
	uint64_t entry;        /* in 64-bit mode */
	uint64_t end;          /* of the memory that it works in before it knows the machine's */
	uint64_t initrd_most;  /* the initramfs ends below */
	size_t header_size;    /* bytes from BZIMAGE_HEADER on that belong into the zero page */
};

bool bzimage_is(const uint8_t *head, size_t size);
int bzimage_read(struct bzimage *b, const uint8_t *head, size_t size, uint64_t file_size,
		 uint64_t gpa_least, uint64_t gpa_most, struct err *e) must_check;

#endif
