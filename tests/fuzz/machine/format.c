/* The header of a snapshot, of which only the size is bounded: parsed, its runs walked. */

#include <string.h>

#include "base/crc32c.h"
#include "machine/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void le32(uint8_t *to, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(v >> 8 * i);
}

/* A fuzzer does not find a crc: all of them are made right, so that it gets behind them. */
static void mend(uint8_t *d, size_t size)
{
	size_t n = size >= 72 && d[64] <= 64 && !d[65] && !d[66] && !d[67] ? d[64] : 0;

	if (size < 72 + n * 32)
		return;
	for (size_t i = 0; i < n; i++) {
		uint8_t *entry = d + 72 + i * 32;
		uint64_t at, length;

		memcpy(&at, entry + 16, 8);
		memcpy(&length, entry + 24, 8);
		if (at <= size && length <= size - at)
			le32(entry + 12, crc32c(d + at, length));
	}
	le32(d + 68, 0);
	le32(d + 68, crc32c(d, 72 + n * 32));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree uint8_t *mended = xmalloc(size);
	struct format f;
	struct err e;

	if (size)
		memcpy(mended, data, size);
	mend(mended, size);
	if (format_parse(mended, size, &f, &e))
		return 0;
	for (size_t i = 0; i < f.n_runs; i++)
		if (format_run(&f, i).first > f.memory_mib * MIB / FORMAT_PAGE)
			__builtin_trap();
	if (format_fits_machine(&f, &f, &e) || format_fits_host(&f, &f, &e))
		__builtin_trap(); /* it fits itself */
	return 0;
}
