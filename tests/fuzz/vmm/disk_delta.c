/* A disk delta from a file of anyone: its header as it is and with its sum made right. */

#include <string.h>

#include "base/crc32c.h"
#include "vmm/dev/disk_delta.h"

#define DISK (64 * KIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t mended[32];
	uint32_t crc;
	struct err e;

	(void)!disk_delta_parse(data, size, DISK, &e);
	if (size < sizeof(mended))
		return 0;
	memcpy(mended, data, sizeof(mended));
	crc = crc32c(mended, sizeof(mended) - sizeof(crc));
	memcpy(mended + sizeof(mended) - sizeof(crc), &crc, sizeof(crc));
	(void)!disk_delta_parse(mended, sizeof(mended), DISK, &e);
	return 0;
}
