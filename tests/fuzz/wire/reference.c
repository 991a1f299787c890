/* An image's name of any bytes: what is taken is one name in every spelling of it. */

#include <string.h>

#include "wire/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[2 * REFERENCE_MAX] = { 0 }, name[REFERENCE_MAX], familiar[REFERENCE_MAX];
	struct reference r, twin;
	struct err e;

	memcpy(text, data, size < sizeof(text) - 1 ? size : sizeof(text) - 1);
	if (reference_parse(&r, text, &e))
		return 0;
	assert(*r.registry && *r.path && (*r.tag || *r.digest));
	reference_name(&r, name);
	reference_familiar(&r, familiar);
	assert(!reference_parse(&r, familiar, &e));
	reference_name(&r, text);
	assert(!strcmp(text, name));
	if (reference_twin(&r, &twin)) {
		assert(reference_twin(&twin, &r));
		reference_name(&r, text);
		assert(!strcmp(text, name));
	}
	return 0;
}
