/* crc32c.h - CRC-32C (Castagnoli, RFC 3720 B.4), computed with the CPU's own instruction where
 * there is one. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const void *data, size_t size);
/* Computes a checksum piece by piece: start with 0 and pass the result of one piece to the next. */
uint32_t crc32c_more(uint32_t crc, const void *data, size_t size);

#endif
