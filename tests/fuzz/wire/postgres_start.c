/* Whatever a client of PostgreSQL says first, and whatever it offers in the handshake: what is
 * passed on is whole, and nothing of it is for the endpoint. */

#include <stdlib.h>
#include <string.h>

#include "wire/native_name.h"
#include "wire/postgres_start.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_startup(const uint8_t *data, size_t size)
{
	autobuf struct buf to = { 0 }, endpoint = { 0 }, token = { 0 };
	autobuf struct buf again = { 0 }, none = { 0 };
	size_t used = 0;
	struct err e;

	if (postgres_startup_take(data, size, &to, &endpoint, &token, &e))
		return;
	assert(to.size <= size);
	assert(postgres_start_read(to.data, to.size, &used) == POSTGRES_STARTUP && used == to.size);
	if (!endpoint.size && !token.size)
		assert(to.size == size && !memcmp(to.data, data, size));
	assert(!postgres_startup_take(to.data, to.size, &again, &none, &none, &e));
	assert(!none.size && again.size == to.size && !memcmp(again.data, to.data, to.size));
}

static void fuzz_start(const uint8_t *data, size_t size)
{
	size_t used = 0;
	enum postgres_start start = postgres_start_read(data, size, &used);

	if (start == POSTGRES_MORE || start == POSTGRES_BAD)
		return;
	assert(used <= size && used <= POSTGRES_START_MAX);
	for (size_t n = 0; n < used; n++)
		assert(postgres_start_read(data, n, &(size_t){ 0 }) == POSTGRES_MORE);
	if (start == POSTGRES_STARTUP)
		fuzz_startup(data, used);
}

static void fuzz_names(const uint8_t *data, size_t size)
{
	autofree char *text = xmalloc(size + 1);
	autobuf struct buf token = { 0 };
	char endpoint[UUID_SIZE];
	const char *rest;
	uint16_t port;

	memcpy(text, data, size);
	text[size] = '\0';
	if (native_name_read(text, endpoint, &port, &rest) == NATIVE_PORT)
		assert(port && uuid_valid(endpoint) && (!*rest || *rest == '.'));
	if (native_name_of_option(text, endpoint, &port))
		assert(uuid_valid(endpoint));
	native_token_join(data, size, &token);
	assert(token.size <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_start(data, size);
	fuzz_names(data, size);
	return 0;
}
