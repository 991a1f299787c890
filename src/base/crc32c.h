/* crc32c.h - CRC-32C (Castagnoli, RFC 3720 B.4), by the CPU's own instruction where it has it. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const void *data, size_t size);
/* Piece by piece: begin with 0; the result of one piece is the begin of the next. */
uint32_t crc32c_more(uint32_t crc, const void *data, size_t size);

#endif
