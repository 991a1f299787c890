#include "vmm/arch/x86_64/load.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "vmm/arch/x86_64/bzimage.h"
#include "vmm/arch/x86_64/elf.h"

#define PAGE 4096ULL

static int load_read(int fd, void *to, size_t size, uint64_t offset, const char *what,
		     struct err *e)
{
	int rc = io_pread_full(fd, to, size, (off_t)offset);

	if (rc == -ENODATA)
		return err_set(e, ERR_INVALID, "the %s has become shorter", what);
	errno = -rc;
	return rc ? err_sys(e, "read the %s", what) : 0;
}

/* Put @size bytes of the file at @gpa.  Whole pages are mapped copy-on-write, and the rest at
 * either end is read. */
static int load_put(const struct mem *m, int fd, uint64_t offset, uint64_t gpa, uint64_t size,
		    const char *what, struct err *e)
{
	uint8_t *to = mem_slice(m, gpa, size);
	uint64_t head, whole;

	if (!size)
		return 0;
	if (!to)
		return err_set(e, ERR_INVALID, "the %s does not fit the guest's memory", what);
	head = -gpa % PAGE;
	if (head > size || (offset - gpa) % PAGE || (uintptr_t)(to + head) % PAGE)
		return load_read(fd, to, size, offset, what, e);
	whole = (size - head) / PAGE * PAGE;
	if (whole &&
	    mmap(to + head, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE,
		 fd, (off_t)(offset + head)) == MAP_FAILED)
		return err_sys(e, "map the %s", what);
	if (load_read(fd, to, head, offset, what, e) < 0)
		return -1;
	return load_read(fd, to + head + whole, size - head - whole, offset + head + whole, what,
			 e);
}

static int load_size(int fd, const char *what, uint64_t *size, struct err *e)
{
	struct stat s;

	if (fstat(fd, &s) < 0)
		return err_sys(e, "look at the %s", what);
	*size = (uint64_t)s.st_size;
	return S_ISREG(s.st_mode) ? 0 : err_set(e, ERR_INVALID, "the %s is no file", what);
}

static int load_elf(struct load *l, const struct mem *m, int fd, const uint8_t *head,
		    size_t head_size, uint64_t file_size, uint64_t *end, struct err *e)
{
	autofree uint8_t *notes = NULL;
	struct elf elf;
	uint32_t entry;

	if (elf_read(&elf, head, head_size, file_size, LOAD_LEAST, m->range[0].size, e) < 0)
		return -1;
	notes = xmalloc(elf.notes_size + 1);
	if (load_read(fd, notes, elf.notes_size, elf.notes_offset, "kernel", e) < 0 ||
	    elf_entry(&elf, notes, elf.notes_size, &entry, e) < 0)
		return -1;
	for (unsigned i = 0; i < elf.n_segments; i++) {
		const struct elf_segment *s = &elf.segments[i];

		if (load_put(m, fd, s->offset, s->gpa, s->file_size, "kernel", e) < 0)
			return -1;
	}
	l->elf = true;
	l->entry = entry;
	*end = elf.end;
	return 0;
}

static int load_bzimage(struct load *l, const struct mem *m, int fd, const uint8_t *head,
			size_t head_size, uint64_t file_size, uint64_t *end, uint64_t *most,
			struct err *e)
{
	struct bzimage bz;

	if (bzimage_read(&bz, head, head_size, file_size, LOAD_LEAST, m->range[0].size, e) < 0)
		return -1;
	assert(bz.header_size <= sizeof(l->header));
	memcpy(l->header, head + BZIMAGE_HEADER, bz.header_size);
	l->header_size = bz.header_size;
	l->entry = bz.entry;
	*end = bz.end;
	if (*most > bz.initrd_most)
		*most = bz.initrd_most;
	return load_put(m, fd, bz.offset, bz.gpa, bz.size, "kernel", e);
}

/* Place it as high as possible, where it is in nobody's way. */
static int load_initrd(struct load *l, const struct mem *m, int fd, uint64_t end, uint64_t most,
		       struct err *e)
{
	uint64_t room;

	if (load_size(fd, "initramfs", &l->initrd_size, e) < 0)
		return -1;
	room = (l->initrd_size + PAGE - 1) / PAGE * PAGE;
	if (room < l->initrd_size || room > most || most - room < end)
		return err_set(e, ERR_INVALID,
			       "the initramfs (%" PRIu64 " bytes) does not fit the guest's memory",
			       l->initrd_size);
	l->initrd = (most - room) / PAGE * PAGE;
	return load_put(m, fd, 0, l->initrd, l->initrd_size, "initramfs", e);
}

int load_kernel(struct load *l, const struct mem *m, const struct arch_boot *b, struct err *e)
{
	uint64_t size, end = 0, most = m->range[0].size;
	uint8_t head[ELF_HEAD];
	size_t head_size;
	int got;

	static_assert(ELF_HEAD == BZIMAGE_HEAD, "one read for both");
	*l = (struct load){ 0 };
	if (load_size(b->kernel_fd, "kernel", &size, e) < 0)
		return -1;
	head_size = size < sizeof(head) ? (size_t)size : sizeof(head);
	if (load_read(b->kernel_fd, head, head_size, 0, "kernel", e) < 0)
		return -1;
	if (elf_is(head, head_size))
		got = load_elf(l, m, b->kernel_fd, head, head_size, size, &end, e);
	else if (bzimage_is(head, head_size))
		got = load_bzimage(l, m, b->kernel_fd, head, head_size, size, &end, &most, e);
	else
		got = err_set(e, ERR_INVALID, "the kernel is neither an ELF file nor a bzImage");
	if (got < 0 || b->initrd_fd < 0)
		return got;
	return load_initrd(l, m, b->initrd_fd, end, most, e);
}
