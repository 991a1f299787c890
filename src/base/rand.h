/* rand.h - random bytes from the kernel, and identifiers made of them. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include "base/base.h"

#define UUID_SIZE 37 /* 36 characters and the NUL */

void rand_bytes(void *to, size_t size); /* aborts if the kernel has none */
void rand_uuid(char out[UUID_SIZE]);    /* RFC 4122 version 4, lower case */
bool uuid_valid(const char *text);      /* true for exactly that form */

#endif
