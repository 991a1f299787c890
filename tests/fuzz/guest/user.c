/* An image's passwd and group files: the input is both, and who is asked for, parted by NULs. */

#include <string.h>

#include "guest/user.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct buf fuzz_part(const uint8_t **data, size_t *size)
{
	const uint8_t *end = *size ? memchr(*data, '\0', *size) : NULL;
	size_t len = end ? (size_t)(end - *data) : *size;
	struct buf part = { 0 };

	buf_add(&part, *data, len);
	*data += len + (end ? 1 : 0);
	*size -= len + (end ? 1 : 0);
	return part;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autobuf struct buf who = fuzz_part(&data, &size);
	autobuf struct buf passwd = fuzz_part(&data, &size);
	autobuf struct buf group = fuzz_part(&data, &size);
	struct user u;
	struct err e;

	if (!user_resolve(buf_str(&who), &passwd, &group, &u, &e))
		assert(u.n_groups <= USER_GROUPS && strlen(u.home) < USER_HOME);
	return 0;
}
