/* A kernel image that somebody configured: read as ELF with its notes, and as bzImage. */

#include <string.h>

#include "vmm/arch/x86_64/bzimage.h"
#include "vmm/arch/x86_64/elf.h"

#define LEAST MIB
#define MOST  (128 * MIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_elf(const uint8_t *data, size_t size)
{
	struct elf elf;
	uint32_t entry;
	struct err e;

	if (elf_read(&elf, data, size < ELF_HEAD ? size : ELF_HEAD, size, LEAST, MOST, &e))
		return;
	for (unsigned i = 0; i < elf.n_segments; i++) {
		const struct elf_segment *s = &elf.segments[i];

		if (s->gpa < LEAST || s->gpa > MOST || s->size > MOST - s->gpa ||
		    s->file_size > s->size || s->offset > size || s->file_size > size - s->offset)
			__builtin_trap();
	}
	if (elf.notes_size > ELF_NOTES || elf.notes_offset > size ||
	    elf.notes_size > size - elf.notes_offset)
		__builtin_trap();
	(void)!elf_entry(&elf, data + elf.notes_offset, elf.notes_size, &entry, &e);
}

static void read_bzimage(const uint8_t *data, size_t size)
{
	struct bzimage b;
	struct err e;

	if (size < BZIMAGE_HEAD || bzimage_read(&b, data, BZIMAGE_HEAD, size, LEAST, MOST, &e))
		return;
	if (b.offset > size || b.size > size - b.offset || b.gpa < LEAST || b.gpa > MOST ||
	    b.size > MOST - b.gpa || b.end > MOST || BZIMAGE_HEADER + b.header_size > BZIMAGE_HEAD)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (elf_is(data, size))
		read_elf(data, size);
	if (bzimage_is(data, size))
		read_bzimage(data, size);
	return 0;
}
