/* A sealed value as a damaged row may have it. */

#include <stdlib.h>
#include <string.h>

#include "control/kms/sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sealed_place at = { "000000000000", "microvm", "microvm-1", "params" };
	autobuf struct buf text = { 0 }, to = { .secret = true };
	struct sealed_key key;
	struct err e;

	buf_add(&text, data, size);
	if (sealed_read_key(buf_str(&text), &key, &e))
		return 0;
	if (key.version < 1 || !uuid_valid(key.id))
		abort();
	if (sealed_open(buf_str(&text), &key, &at, &to, &e) && to.size)
		abort();
	return 0;
}
