/* A credentials file of any bytes. */

#include "wire/creds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct creds c;
	struct err e;

	if (!creds_parse((const char *)data, size, &c, &e))
		for (size_t i = 0; i < c.n; i++)
			assert(creds_secret(&c, c.keys[i].access_key) == c.keys[i].secret);
	return 0;
}
