/* elf.h - reads a kernel that is an ELF file with an entry for virtual machines (PVH).  Pure.  A
 * stranger may have made the file, so no number in it is trusted; fuzzed. */
#ifndef VMM_ARCH_X86_64_ELF_H
#define VMM_ARCH_X86_64_ELF_H

#include "base/err.h"

#define ELF_HEAD     4096 /* bytes of the file that elf_read wants, or all if it is shorter */
#define ELF_SEGMENTS 16
#define ELF_NOTES    (64 * KIB)

struct elf_segment {
	uint64_t offset, file_size; /* in the file */
	uint64_t gpa, size;         /* behind file_size bytes there are zeros */
};

struct elf {
	struct elf_segment segments[ELF_SEGMENTS];
	unsigned n_segments;
	uint64_t end;                      /* of the highest segment */
	uint64_t notes_offset, notes_size; /* at most ELF_NOTES */
};

bool elf_is(const uint8_t *head, size_t size);

/* Read the first bytes of a file of @file_size bytes.  Its segments must lie between @gpa_least and
 * @gpa_most. */
int elf_read(struct elf *elf, const uint8_t *head, size_t size, uint64_t file_size,
	     uint64_t gpa_least, uint64_t gpa_most, struct err *e) must_check;

/* Find the 32-bit entry that the notes name. */
int elf_entry(const struct elf *elf, const uint8_t *notes, size_t size, uint32_t *entry,
	      struct err *e) must_check;

#endif
