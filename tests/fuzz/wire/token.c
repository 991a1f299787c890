/* What a stranger presents as a token, and the claims inside one that is sealed with our key. */

#include "wire/token.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct token_keys keys = { .keys = { { .kid = "k" } }, .n = 1 };
	autofree char *text = xmalloc(size + 1);
	struct token_claims claims;
	struct token_keys parsed;
	struct err e;

	memcpy(text, data, size);
	text[size] = '\0';
	if (!token_open(&keys, text, &claims, &e))
		assert(claims.n_ranges <= TOKEN_MAX_RANGES);
	if (!token_keys_parse(text, size, &parsed, &e))
		assert(parsed.current < parsed.n);
	return 0;
}
