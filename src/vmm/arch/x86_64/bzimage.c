#include "vmm/arch/x86_64/bzimage.h"

#include <string.h>

#include "base/bytes.h"

/* Where the fields stand in the file. */
enum {
	AT_SETUP_SECTORS = 0x1f1,
	AT_JUMP = 0x200, /* its second byte is the size of the header behind it */
	AT_MAGIC = 0x202,
	AT_VERSION = 0x206,
	AT_INITRD_MAX = 0x22c,
	AT_XLOADFLAGS = 0x236,
	AT_PREFERRED = 0x258,
	AT_INIT_SIZE = 0x260,
	AT_END = 0x264,
};

#define VERSION_LEAST 0x20c
#define XLF_KERNEL_64 1
#define ENTRY_64      0x200
#define HEADER_END    0x290 /* of the room for it in the zero page */
#define SECTOR        512
#define LARGE_PAGE    (2 * MIB)

static int bzimage_bad(struct err *e, const char *what)
{
	return err_set(e, ERR_INVALID, "the kernel is no bzImage that can be started: %s", what);
}

bool bzimage_is(const uint8_t *head, size_t size)
{
	return size >= AT_MAGIC + 4 && !memcmp(head + AT_MAGIC, "HdrS", 4);
}

int bzimage_read(struct bzimage *b, const uint8_t *head, size_t size, uint64_t file_size,
		 uint64_t gpa_least, uint64_t gpa_most, struct err *e)
{
	unsigned sectors;
	uint64_t room;

	*b = (struct bzimage){ 0 };
	if (!bzimage_is(head, size) || size < HEADER_END)
		return bzimage_bad(e, "it is too short");
	if (get_le16(head + AT_VERSION) < VERSION_LEAST ||
	    !(get_le16(head + AT_XLOADFLAGS) & XLF_KERNEL_64))
		return bzimage_bad(e, "it has no 64-bit entry");
	sectors = head[AT_SETUP_SECTORS] ? head[AT_SETUP_SECTORS] : 4;
	b->offset = (sectors + 1) * SECTOR;
	if (b->offset >= file_size)
		return bzimage_bad(e, "it ends with its setup");
	b->size = file_size - b->offset;
	b->gpa = get_le64(head + AT_PREFERRED);
	room = get_le32(head + AT_INIT_SIZE);
	if (room < b->size)
		room = b->size;
	if (b->gpa < gpa_least || b->gpa % LARGE_PAGE || b->gpa > gpa_most ||
	    room > gpa_most - b->gpa)
		return bzimage_bad(e, "it does not fit the guest's memory");
	b->end = b->gpa + room;
	b->entry = b->gpa + ENTRY_64;
	b->initrd_most = (uint64_t)get_le32(head + AT_INITRD_MAX) + 1;
	b->header_size = AT_MAGIC + (size_t)head[AT_JUMP + 1] - BZIMAGE_HEADER;
	if (b->header_size < AT_END - BZIMAGE_HEADER ||
	    b->header_size > HEADER_END - BZIMAGE_HEADER)
		return bzimage_bad(e, "its header has an odd size");
	return 0;
}
