/* A state file: checked, walked, its fields looked for; records whose CRC was made right. */

#include <string.h>

#include "base/crc32c.h"
#include "vmm/snap/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct thing {
	uint32_t a;
	uint8_t b[6];
};

static const struct snap_field thing_fields[] = {
	SNAP(1, struct thing, a),
	SNAP(2, struct thing, b),
	SNAP_END,
};

static void mend(uint8_t *d, size_t size)
{
	for (size_t at = 0; size - at >= 32;) {
		uint64_t length;
		uint32_t crc;

		memcpy(&length, d + at + 16, sizeof(length));
		if (length > size - at - 32)
			return;
		crc = crc32c(d + at + 32, length);
		memcpy(d + at + 24, &crc, sizeof(crc));
		at += 32 + ((length + 7) & ~7ULL);
		if (at > size)
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree uint8_t *mended = xmalloc(size);
	struct thing thing;
	struct record r;
	struct err e;

	if (size)
		memcpy(mended, data, size);
	mend(mended, size);
	if (record_check(mended, size, &e))
		return 0;
	for (size_t at = 0; record_next(mended, size, &at, &r);) {
		struct record same;

		if (record_find(&(struct rows){ mended, size, 0 }, r.tag, r.index, r.version, &same,
				&e) ||
		    same.data != r.data)
			__builtin_trap();
		(void)!snap_get(r.data, r.size, thing_fields, &thing, &e);
	}
	return 0;
}
