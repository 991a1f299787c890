#include "vmm/dev/disk_delta.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/io.h"

#define DISK_DELTA_MAGIC   "DOZEDISK"
#define DISK_DELTA_VERSION 1
#define LINE_BITS          (8ULL * DISK_DELTA_LINE)

/* As it stands in the file, little endian; the rest of the page is zero. */
struct disk_delta_head {
	char magic[8];
	uint32_t version, block;
	uint64_t disk_size;
	uint32_t zero, crc; /* of all before */
};
static_assert(sizeof(struct disk_delta_head) == 32, "no padding");

int disk_delta_parse(const uint8_t *data, size_t size, uint64_t disk_size, struct err *e)
{
	struct disk_delta_head h;

	if (size < sizeof(h) || memcmp(data, DISK_DELTA_MAGIC, sizeof(h.magic)) != 0)
		return err_set(e, ERR_INVALID, "it is no disk delta of this program");
	memcpy(&h, data, sizeof(h));
	if (crc32c(&h, offsetof(struct disk_delta_head, crc)) != le32toh(h.crc))
		return err_set(e, ERR_INVALID, "its header is damaged");
	if (le32toh(h.version) != DISK_DELTA_VERSION || le32toh(h.block) != DISK_DELTA_BLOCK)
		return err_set(e, ERR_INVALID,
			       "it is of version %" PRIu32 "; this program reads version %d",
			       le32toh(h.version), DISK_DELTA_VERSION);
	if (le64toh(h.disk_size) != disk_size)
		return err_set(e, ERR_INVALID,
			       "it belongs to a disk of %" PRIu64 " bytes; this one has %" PRIu64,
			       le64toh(h.disk_size), disk_size);
	return 0;
}

static uint64_t disk_delta_bitmap_size(const struct disk_delta *l)
{
	uint64_t bytes = (l->n_blocks + 7) / 8;

	return (bytes + DISK_DELTA_HEAD - 1) / DISK_DELTA_HEAD * DISK_DELTA_HEAD;
}

uint64_t disk_delta_offset(const struct disk_delta *l, uint64_t block)
{
	return DISK_DELTA_HEAD + disk_delta_bitmap_size(l) + block * DISK_DELTA_BLOCK;
}

int disk_delta_open(struct disk_delta *l, int fd, uint64_t disk_size, struct err *e)
{
	uint8_t head[sizeof(struct disk_delta_head)];
	struct stat st;
	ssize_t n;

	l->fd = -1;
	l->lines = NULL;
	l->n_blocks = disk_size / DISK_DELTA_BLOCK;
	memset(l->held, 0, sizeof(l->held));
	if (fstat(fd, &st))
		return err_sys(e, "look at a disk delta");
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "a disk delta is a regular file");
	l->empty = !st.st_size;
	if (!l->empty) {
		n = pread(fd, head, sizeof(head), 0);
		if (n < 0)
			return err_sys(e, "read a disk delta");
		if (disk_delta_parse(head, (size_t)n, disk_size, e))
			return err_wrap(e, "the disk delta cannot be used");
		if ((uint64_t)st.st_size != disk_delta_offset(l, l->n_blocks))
			return err_set(e, ERR_INVALID, "a disk delta is cut off");
	}
	l->fd = fd;
	return 0;
}

void disk_delta_close(struct disk_delta *l)
{
	free(l->lines);
	l->lines = NULL;
	fd_close(&l->fd);
}

int disk_delta_begin(struct disk_delta *l)
{
	struct disk_delta_head h = { .version = htole32(DISK_DELTA_VERSION),
				     .block = htole32(DISK_DELTA_BLOCK),
				     .disk_size = htole64(l->n_blocks * DISK_DELTA_BLOCK) };
	int rc;

	if (!l->empty)
		return 0;
	memcpy(h.magic, DISK_DELTA_MAGIC, sizeof(h.magic));
	h.crc = htole32(crc32c(&h, offsetof(struct disk_delta_head, crc)));
	if (ftruncate(l->fd, (off_t)disk_delta_offset(l, l->n_blocks)))
		return -errno;
	rc = io_pwrite_full(l->fd, &h, sizeof(h), 0);
	if (rc) {
		(void)!ftruncate(l->fd, 0); /* still an empty one, and not one without a header */
		return rc;
	}
	l->empty = false;
	return 0;
}

static uint64_t line_offset(uint32_t number)
{
	return DISK_DELTA_HEAD + (uint64_t)number * DISK_DELTA_LINE;
}

static uint32_t line_number(uint64_t block)
{
	return (uint32_t)(block / LINE_BITS);
}

/* The line of the bitmap that @block is in, or NULL and errno. */
static uint8_t *disk_delta_line(struct disk_delta *l, uint64_t block)
{
	uint32_t number = line_number(block), place = number % DISK_DELTA_LINES;
	uint8_t *bits;
	int rc;

	if (!l->lines)
		l->lines = xmalloc(sizeof(*l->lines) * DISK_DELTA_LINES);
	bits = l->lines[place];
	if (l->held[place] == number + 1)
		return bits;
	l->held[place] = 0;
	rc = io_pread_full(l->fd, bits, DISK_DELTA_LINE, (off_t)line_offset(number));
	if (rc) {
		errno = rc == -ENODATA ? EIO : -rc; /* cut off while we use it */
		return NULL;
	}
	l->held[place] = number + 1;
	return bits;
}

static bool line_bit(const uint8_t *bits, uint64_t block)
{
	return bits[block % LINE_BITS / 8] >> block % 8 & 1;
}

/* Counts the bits from @block on that equal @has, up to @end, which is in the same line. */
static uint64_t line_run(const uint8_t *bits, uint64_t block, uint64_t end, bool has)
{
	uint8_t alike = has ? 0xff : 0;
	uint64_t at = block;

	while (at < end) {
		if (at % 8 == 0 && end - at >= 8 && bits[at % LINE_BITS / 8] == alike)
			at += 8;
		else if (line_bit(bits, at) == has)
			at++;
		else
			break;
	}
	return at - block;
}

int64_t disk_delta_run(struct disk_delta *l, uint64_t block, uint64_t n, bool *has)
{
	uint64_t end = block + n, at = block;

	assert(n && block < l->n_blocks && n <= l->n_blocks - block);
	*has = false;
	if (l->empty)
		return (int64_t)n;
	while (at < end) {
		uint64_t line_end = (at / LINE_BITS + 1) * LINE_BITS, run;
		const uint8_t *bits = disk_delta_line(l, at);

		if (!bits)
			return -errno;
		if (line_end > end)
			line_end = end;
		if (at == block)
			*has = line_bit(bits, at);
		run = line_run(bits, at, line_end, *has);
		at += run;
		if (at < line_end)
			break;
	}
	return (int64_t)(at - block);
}

/* Bits of one line; those bytes of the file alone are written, if any changed. */
static int disk_delta_set_line(struct disk_delta *l, uint64_t block, uint64_t end)
{
	uint32_t number = line_number(block);
	uint8_t *bits = disk_delta_line(l, block);
	uint64_t first = block % LINE_BITS / 8, last = (end - 1) % LINE_BITS / 8;
	int rc;

	if (!bits)
		return -errno;
	if (line_bit(bits, block) && line_run(bits, block, end, true) == end - block)
		return 0;
	for (uint64_t at = block; at < end; at++)
		bits[at % LINE_BITS / 8] |= (uint8_t)(1U << at % 8);
	rc = io_pwrite_full(l->fd, bits + first, last - first + 1,
			    (off_t)(line_offset(number) + first));
	if (rc)
		l->held[number % DISK_DELTA_LINES] = 0; /* what is there is in the file */
	return rc;
}

int disk_delta_set(struct disk_delta *l, uint64_t block, uint64_t n)
{
	assert(!l->empty && block < l->n_blocks && n <= l->n_blocks - block);
	while (n) {
		uint64_t end = (block / LINE_BITS + 1) * LINE_BITS;
		int rc;

		if (end > block + n)
			end = block + n;
		rc = disk_delta_set_line(l, block, end);
		if (rc)
			return rc;
		n -= end - block;
		block = end;
	}
	return 0;
}
