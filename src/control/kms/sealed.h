/* sealed.h - a secret as text that one key opens, in one place alone.
 *
 * Each value has a data key of its own, which is wrapped by a version of a key: AES-256-GCM both
 * times.  The account, table, row and column that it is for are authenticated with it, so that a
 * value which was copied to another row does not open there.  The text is
 *
 *   doze1:<key's id>:<key's version>:<data key, wrapped>:<value>
 *
 * with nonce, ciphertext and tag of the last two in hexadecimal digits.  Pure. */
#ifndef CONTROL_KMS_SEALED_H
#define CONTROL_KMS_SEALED_H

#include "base/buf.h"
#include "base/err.h"
#include "base/rand.h"

#define SEALED_KEY_SIZE 32
#define SEALED_MAX      (4 * MIB) /* of the text */

/* What a value belongs to. */
struct sealed_place {
	const char *account, *table, *id, *column;
};

/* What seals it. */
struct sealed_key {
	char id[UUID_SIZE];
	int64_t version;
	uint8_t bytes[SEALED_KEY_SIZE]; /* its holder wipes them */
};

/* The text; the caller's. */
char *sealed_make(const struct sealed_key *key, const struct sealed_place *at, const void *data,
		  size_t size);
/* Which key opens @text: its id and version, without its bytes. */
int sealed_read_key(const char *text, struct sealed_key *key, struct err *e) must_check;
/* Appends the value to @to, which should be a secret one. */
int sealed_open(const char *text, const struct sealed_key *key, const struct sealed_place *at,
		struct buf *to, struct err *e) must_check;

#endif
