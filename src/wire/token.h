/* token.h - the endpoint token: JWE compact, alg dir, enc A256GCM (service.md 7; RFC 7516).
 *
 * Claims: microvm id, port ranges, expiry, whether it is a shell token.  Pure; random
 * bytes and time are arguments.  Opaque to clients. */
#ifndef WIRE_TOKEN_H
#define WIRE_TOKEN_H

#include "base/buf.h"
#include "base/err.h"

#define TOKEN_MAX_RANGES 32
#define TOKEN_MAX_KEYS   8
#define TOKEN_TEXT_MAX   4096

struct token_keys {
	struct {
		char kid[37];
		uint8_t key[32];
	} keys[TOKEN_MAX_KEYS];
	size_t n, current;
};

struct token_claims {
	char microvm[80];
	int64_t expires_ms; /* steady (base/steady.h) */
	bool shell, all_ports;
	struct {
		uint16_t first, last;
	} ranges[TOKEN_MAX_RANGES];
	size_t n_ranges;
};

/* The JSON of SECRET_TOKEN_KEYS (ipc/super.h). */
int token_keys_parse(const char *json, size_t size, struct token_keys *keys,
		     struct err *e) must_check;

void token_mint(const struct token_keys *keys, const struct token_claims *claims,
		const uint8_t nonce[12], struct buf *out);

/* ERR_INVALID if the text cannot be one of our tokens (missing, truncated, garbage); ERR_DENIED if
 * none of our keys made it or it was tampered with.  The caller checks expiry and scope. */
int token_open(const struct token_keys *keys, const char *text, struct token_claims *claims,
	       struct err *e) must_check;
/* The claims alone, as JSON; owned by the caller.  False: it is none. */
char *token_claims_text(const struct token_claims *claims);
bool token_claims_read(const char *text, size_t size, struct token_claims *claims) must_check;
bool token_allows(const struct token_claims *claims, uint16_t port);

#endif
