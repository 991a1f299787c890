/* record.h - the state file: a row of records (docs/vmm.md), as pure functions.
 *
 * Each record is a header of 32 bytes in little endian (tag, index, version, flags, length,
 * CRC-32C, four zero bytes) and its payload, padded with zeros to 8 bytes.  The parser trusts no
 * length and no number; fuzzed. */
#ifndef VMM_SNAP_RECORD_H
#define VMM_SNAP_RECORD_H

#include "base/buf.h"
#include "base/err.h"

/* Begin a mandatory record, append its payload to *b, end it. */
size_t record_begin(struct buf *b, const char tag[5], uint32_t index, uint32_t version);
void record_end(struct buf *b, size_t mark);

struct record {
	char tag[5];
	uint32_t index, version;
	const uint8_t *data; /* borrowed */
	size_t size;
};

/* Check the whole row once: every record inside the bytes, every CRC right, none twice. */
int record_check(const uint8_t *data, size_t size, struct err *e) must_check;

/* Walk the records of a checked row; *at starts at 0.  False after the last one. */
bool record_next(const uint8_t *data, size_t size, size_t *at, struct record *r);

/* A checked row, and the place where the next record is expected, because they are usually asked
 * for in their order. */
struct rows {
	const uint8_t *data; /* borrowed */
	size_t size, at;
};

/* Find the record of this tag and index, of at most this version.  The error names it if it is
 * missing or newer. */
int record_find(struct rows *rows, const char tag[5], uint32_t index, uint32_t version,
		struct record *r, struct err *e) must_check;

/* One member of a struct that is part of the state.  A table of these, ended by tag 0, is the whole
 * format of a device.  A tag is never reused and never changes its meaning. */
struct snap_field {
	uint16_t tag, size;
	uint32_t offset;
};
/* clang-format off */
#define SNAP(tag, type, member) { tag, sizeof(((type *)0)->member), offsetof(type, member) }
#define SNAP_END                { 0, 0, 0 }
/* Members that stand behind each other, without gaps: one field. */
#define SNAP_ROW(tag, type, first, last) \
	{ tag, offsetof(type, last) + sizeof(((type *)0)->last) - offsetof(type, first), offsetof(type, first) }
/* clang-format on */

/* The members of @object behind each other: u16 tag, u16 size, bytes. */
void snap_put(struct buf *b, const struct snap_field *table, const void *object);
/* Fails unless all members are there with their sizes.  Unknown ones are skipped.  The caller
 * checks the values. */
int snap_get(const uint8_t *data, size_t size, const struct snap_field *table, void *object,
	     struct err *e) must_check;

#endif
