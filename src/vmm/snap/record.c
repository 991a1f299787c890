#include "vmm/snap/record.h"

#include <endian.h>
#include <inttypes.h>
#include <string.h>

#include "base/crc32c.h"

#define MANDATORY  1U
#define RECORD_MAX 256 /* records in a row: 16 vCPUs have some 180 */

/* The header of a record in the file, in little endian. */
struct head {
	char tag[4];
	uint32_t index, version, flags;
	uint64_t size;
	uint32_t crc;
	uint32_t zero;
};
static_assert(sizeof(struct head) == 32, "no padding");

size_t record_begin(struct buf *b, const char tag[5], uint32_t index, uint32_t version)
{
	struct head h = { .index = htole32(index),
			  .version = htole32(version),
			  .flags = htole32(MANDATORY) };
	size_t mark = b->size;

	assert(mark % 8 == 0);
	memcpy(h.tag, tag, sizeof(h.tag));
	buf_add(b, &h, sizeof(h));
	return mark;
}

void record_end(struct buf *b, size_t mark)
{
	static const uint8_t zeros[8];
	size_t size = b->size - mark - sizeof(struct head);
	struct head h;

	memcpy(&h, b->data + mark, sizeof(h));
	h.size = htole64(size);
	h.crc = htole32(crc32c(b->data + mark + sizeof(h), size));
	memcpy(b->data + mark, &h, sizeof(h));
	buf_add(b, zeros, -b->size % 8);
}

bool record_next(const uint8_t *data, size_t size, size_t *at, struct record *r)
{
	struct head h;

	if (size - *at < sizeof(h))
		return false;
	memcpy(&h, data + *at, sizeof(h));
	*r = (struct record){ .index = le32toh(h.index),
			      .version = le32toh(h.version),
			      .data = data + *at + sizeof(h),
			      .size = le64toh(h.size) };
	memcpy(r->tag, h.tag, sizeof(h.tag));
	*at += sizeof(h) + ((r->size + 7) & ~(size_t)7);
	return true;
}

static int record_damaged(struct err *e)
{
	return err_set(e, ERR_INVALID, "the snapshot's state is damaged");
}

static uint64_t record_key(const struct head *h)
{
	uint32_t tag;

	memcpy(&tag, h->tag, sizeof(tag));
	return (uint64_t)tag << 32 | h->index;
}

/* Does the last of these appear before? */
static bool record_twice(const uint64_t *keys, size_t n)
{
	for (size_t i = 0; i + 1 < n; i++)
		if (keys[i] == keys[n - 1])
			return true;
	return false;
}

/* The padding means nothing, so it must be zero. */
static bool record_is_filled(const uint8_t *from, uint64_t n)
{
	while (n)
		if (from[--n])
			return false;
	return true;
}

int record_check(const uint8_t *data, size_t size, struct err *e)
{
	uint64_t keys[RECORD_MAX];
	size_t at = 0, n = 0;

	while (at < size) {
		struct head h;
		uint64_t length;

		if (size - at < sizeof(h) || n == RECORD_MAX)
			return record_damaged(e);
		memcpy(&h, data + at, sizeof(h));
		keys[n++] = record_key(&h);
		length = le64toh(h.size);
		if (length > size - at - sizeof(h) ||
		    ((length + 7) & ~7ULL) > size - at - sizeof(h) ||
		    crc32c(data + at + sizeof(h), length) != le32toh(h.crc) || h.zero ||
		    !record_is_filled(data + at + sizeof(h) + length, -length % 8) ||
		    record_twice(keys, n))
			return record_damaged(e);
		at += sizeof(h) + ((length + 7) & ~7ULL);
	}
	return 0;
}

/* From rows->at on; behind it afterwards. */
static bool record_seek(struct rows *rows, const char tag[5], uint32_t index, struct record *r)
{
	while (record_next(rows->data, rows->size, &rows->at, r))
		if (!memcmp(r->tag, tag, 4) && r->index == index)
			return true;
	rows->at = 0;
	return false;
}

int record_find(struct rows *rows, const char tag[5], uint32_t index, uint32_t version,
		struct record *r, struct err *e)
{
	if (!record_seek(rows, tag, index, r) && !record_seek(rows, tag, index, r))
		return err_set(e, ERR_INVALID, "the snapshot's state has no record %s %" PRIu32,
			       tag, index);
	if (r->version <= version)
		return 0;
	return err_set(e, ERR_INVALID,
		       "the snapshot has its record %s in version %" PRIu32
		       "; this program reads up to %" PRIu32,
		       tag, r->version, version);
}

struct field_head {
	uint16_t tag, size;
};

void snap_put(struct buf *b, const struct snap_field *table, const void *object)
{
	for (const struct snap_field *f = table; f->tag; f++) {
		struct field_head h = { htole16(f->tag), htole16(f->size) };

		buf_add(b, &h, sizeof(h));
		buf_add(b, (const uint8_t *)object + f->offset, f->size);
	}
}

/* From *at on; behind it afterwards. */
static const uint8_t *snap_find(const uint8_t *data, size_t size, const struct snap_field *f,
				size_t *at)
{
	struct field_head h;

	while (size - *at >= sizeof(h)) {
		const uint8_t *from = data + *at + sizeof(h);
		size_t length;

		memcpy(&h, data + *at, sizeof(h));
		length = le16toh(h.size);
		if (length > size - *at - sizeof(h))
			return NULL;
		*at += sizeof(h) + length;
		if (le16toh(h.tag) == f->tag)
			return length == f->size ? from : NULL;
	}
	return NULL;
}

/* They usually come in the table's order, so the search starts after the last hit and covers the
 * rest only if it must. */
int snap_get(const uint8_t *data, size_t size, const struct snap_field *table, void *object,
	     struct err *e)
{
	size_t at = 0;

	for (const struct snap_field *f = table; f->tag; f++) {
		const uint8_t *from = snap_find(data, size, f, &at);

		if (!from) {
			at = 0;
			from = snap_find(data, size, f, &at);
		}
		if (!from)
			return err_set(e, ERR_INVALID,
				       "a device's state in the snapshot lacks its field %u",
				       f->tag);
		memcpy((uint8_t *)object + f->offset, from, f->size);
	}
	return 0;
}
