/* What strangers send towards a port: the line that asks for it, frames of datagrams, and a range
 * of addresses. */

#include <stdlib.h>
#include <string.h>

#include "base/cidr.h"
#include "wire/connect.h"
#include "wire/datagram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_line(const uint8_t *data, size_t size)
{
	struct connect_ask ask;
	char again[CONNECT_LINE];
	size_t used = 0;
	int rc = connect_read(data, size, &ask, &used);

	assert(rc || size < CONNECT_LINE);
	if (rc != 1)
		return;
	assert(!ask.port == (ask.way == CONNECT_SHELL) && used <= size);
	connect_write(again, &ask);
	assert(strlen(again) <= used);
	/* No start of the line says anything else. */
	for (size_t n = 0; n < used && n < CONNECT_LINE; n++)
		assert(!connect_read(data, n, &ask, &(size_t){ 0 }));
}

static void fuzz_frames(const uint8_t *data, size_t size)
{
	size_t done = 0, length, used;
	const uint8_t *datagram;

	while (datagram_next(data + done, size - done, &datagram, &length, &used) == 1) {
		assert(length <= DATAGRAM_MAX && used == DATAGRAM_HEAD + length);
		assert(datagram + length <= data + size);
		done += used;
	}
	assert(done <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xmalloc(size + 1);
	struct cidr range;

	memcpy(text, data, size);
	text[size] = '\0';
	fuzz_line(data, size);
	fuzz_frames(data, size);
	if (cidr_read(text, &range))
		assert(cidr_is_sane(&range));
	return 0;
}
