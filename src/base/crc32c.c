#include "base/crc32c.h"

#include <stdbool.h>
#include <string.h>

static uint32_t crc32c_slow(uint32_t crc, const uint8_t *p, size_t size)
{
	static uint32_t table[256];

	for (uint32_t i = 0; !table[255] && i < 256; i++) {
		uint32_t v = i;

		for (int bit = 0; bit < 8; bit++)
			v = v & 1 ? v >> 1 ^ 0x82f63b78 : v >> 1;
		table[i] = v;
	}
	while (size--)
		crc = crc >> 8 ^ table[(crc ^ *p++) & 0xff];
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_fast(uint32_t crc, const uint8_t *p,
							      size_t size)
{
	uint64_t wide = crc, words[8];

	for (; size >= sizeof(words); size -= sizeof(words), p += sizeof(words)) {
		memcpy(words, p, sizeof(words));
#pragma GCC unroll 8
		for (int i = 0; i < 8; i++)
			wide = __builtin_ia32_crc32di(wide, words[i]);
	}
	for (; size >= sizeof(words[0]); size -= sizeof(words[0]), p += sizeof(words[0])) {
		memcpy(words, p, sizeof(words[0]));
		wide = __builtin_ia32_crc32di(wide, words[0]);
	}
	crc = (uint32_t)wide;
	while (size--)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return crc;
}

static bool crc32c_has_fast(void)
{
	return __builtin_cpu_supports("sse4.2");
}
#else
#define crc32c_fast       crc32c_slow
#define crc32c_has_fast() false
#endif

uint32_t crc32c_more(uint32_t crc, const void *data, size_t size)
{
	return ~(crc32c_has_fast() ? crc32c_fast : crc32c_slow)(~crc, data, size);
}

uint32_t crc32c(const void *data, size_t size)
{
	return crc32c_more(0, data, size);
}
