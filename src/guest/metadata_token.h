/* metadata_token.h - the tokens of whoever reads metadata (metadata.h), as IMDSv2 has them.
 *
 * A token says until when it is good, and bears a code over that by a key of this microVM, so none
 * of them has to be kept.  Each resume makes a new key: a token of before, which all clones of a
 * snapshot may hold, is good for nothing.  Pure but for the key. */
#ifndef GUEST_METADATA_TOKEN_H
#define GUEST_METADATA_TOKEN_H

#include "base/base.h"

#define METADATA_KEY_BYTES   16
#define METADATA_TOKEN_BYTES 24                             /* until when, salt, code */
#define METADATA_TOKEN_SIZE  (2 * METADATA_TOKEN_BYTES + 1) /* as text, with its NUL */

struct metadata_key {
	uint8_t bytes[METADATA_KEY_BYTES];
};

/* False: the kernel gives no randomness, and the key is as it was. */
bool metadata_key_renew(struct metadata_key *key) must_check;
void metadata_token_make(const struct metadata_key *key, uint64_t until_ms, uint64_t salt,
			 char token[METADATA_TOKEN_SIZE]);
bool metadata_token_good(const struct metadata_key *key, const char *token, uint64_t now_ms);

/* SipHash-2-4. */
uint64_t metadata_code(const struct metadata_key *key, const uint8_t *data, size_t size);

#endif
