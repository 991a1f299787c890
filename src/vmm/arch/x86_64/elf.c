#include "vmm/arch/x86_64/elf.h"

#include <elf.h>
#include <string.h>

#define NOTE_PVH 18 /* XEN_ELFNOTE_PHYS32_ENTRY */

static int elf_bad(struct err *e, const char *what)
{
	return err_set(e, ERR_INVALID, "the kernel is no ELF file that can be started: %s", what);
}

bool elf_is(const uint8_t *head, size_t size)
{
	return size >= SELFMAG && !memcmp(head, ELFMAG, SELFMAG);
}

static int elf_add_segment(struct elf *elf, const Elf64_Phdr *p, uint64_t file_size, uint64_t least,
			   uint64_t most, struct err *e)
{
	if (!p->p_memsz)
		return 0;
	if (p->p_filesz > p->p_memsz || p->p_offset > file_size ||
	    p->p_filesz > file_size - p->p_offset)
		return elf_bad(e, "a segment is not in the file");
	if (p->p_paddr < least || p->p_paddr > most || p->p_memsz > most - p->p_paddr)
		return elf_bad(e, "a segment does not fit the guest's memory");
	if (elf->n_segments == ELF_SEGMENTS)
		return elf_bad(e, "it has too many segments");
	elf->segments[elf->n_segments++] =
		(struct elf_segment){ p->p_offset, p->p_filesz, p->p_paddr, p->p_memsz };
	if (elf->end < p->p_paddr + p->p_memsz)
		elf->end = p->p_paddr + p->p_memsz;
	return 0;
}

static int elf_add_notes(struct elf *elf, const Elf64_Phdr *p, uint64_t file_size, struct err *e)
{
	if (p->p_offset > file_size || p->p_filesz > file_size - p->p_offset ||
	    p->p_filesz > ELF_NOTES)
		return elf_bad(e, "its notes are not in the file");
	elf->notes_offset = p->p_offset;
	elf->notes_size = p->p_filesz;
	return 0;
}

int elf_read(struct elf *elf, const uint8_t *head, size_t size, uint64_t file_size,
	     uint64_t gpa_least, uint64_t gpa_most, struct err *e)
{
	Elf64_Ehdr h;

	*elf = (struct elf){ 0 };
	if (!elf_is(head, size) || size < sizeof(h))
		return elf_bad(e, "it is too short");
	memcpy(&h, head, sizeof(h));
	if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB ||
	    h.e_machine != EM_X86_64)
		return elf_bad(e, "it is not for x86-64");
	if (h.e_phentsize != sizeof(Elf64_Phdr) || h.e_phoff > size ||
	    (uint64_t)h.e_phnum * sizeof(Elf64_Phdr) > size - h.e_phoff)
		return elf_bad(e, "its table of segments is not at its beginning");
	for (unsigned i = 0; i < h.e_phnum; i++) {
		Elf64_Phdr p;

		memcpy(&p, head + h.e_phoff + i * sizeof(p), sizeof(p));
		if (p.p_type == PT_LOAD &&
		    elf_add_segment(elf, &p, file_size, gpa_least, gpa_most, e) < 0)
			return -1;
		if (p.p_type == PT_NOTE && elf_add_notes(elf, &p, file_size, e) < 0)
			return -1;
	}
	return elf->n_segments ? 0 : elf_bad(e, "it has no segment");
}

int elf_entry(const struct elf *elf, const uint8_t *notes, size_t size, uint32_t *entry,
	      struct err *e)
{
	Elf64_Nhdr n;

	for (uint64_t at = 0; at < size && size - at >= sizeof(n);) {
		uint64_t name, desc;

		memcpy(&n, notes + at, sizeof(n));
		name = at + sizeof(n);
		desc = name + (((uint64_t)n.n_namesz + 3) & ~3ULL);
		at = desc + (((uint64_t)n.n_descsz + 3) & ~3ULL);
		if (n.n_type != NOTE_PVH || n.n_namesz != 4 || n.n_descsz < 4 || at > size ||
		    memcmp(notes + name, "Xen", 4) != 0)
			continue;
		memcpy(entry, notes + desc, sizeof(*entry));
		for (unsigned i = 0; i < elf->n_segments; i++)
			if (*entry >= elf->segments[i].gpa &&
			    *entry - elf->segments[i].gpa < elf->segments[i].size)
				return 0;
		return elf_bad(e, "its entry is in no segment");
	}
	return elf_bad(e, "it has no entry for virtual machines (CONFIG_PVH)");
}
