/* What a program or a file says are credentials: what is taken can go into a guest's metadata. */

#include <string.h>

#include "control/api/credentials_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct credentials_text c;
	struct err e;

	if (credentials_read((const char *)data, size, &c, &e)) {
		assert(*e.text);
		return 0;
	}
	assert(*c.key && *c.secret && c.token && c.expires_ms >= 0);
	assert(!strpbrk(c.key, " \n\r\t") && !strpbrk(c.secret, " \n\r\t"));
	credentials_text_free(&c);
	return 0;
}
