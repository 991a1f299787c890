/* Whatever a hostile client of a shell sends: its request, its frames and its texts. */

#include <stdlib.h>
#include <string.h>

#include "proxy/shell_words.h"
#include "wire/websocket.h"

#define LONGEST 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzzed {
	size_t taken; /* bytes of messages */
	unsigned closes;
};

static void on_message(void *arg, enum websocket_type type, const uint8_t *data, size_t size)
{
	struct fuzzed *f = arg;
	uint64_t sizes[2] = { 0, 0 };

	assert(!f->closes && size <= LONGEST);
	f->taken += size;
	if (type == WEBSOCKET_TEXT && shell_resize_read(data, size, sizes))
		assert(sizes[0] <= UINT16_MAX && sizes[1] <= UINT16_MAX);
}

static void on_closed(void *arg, unsigned code, const char *reason)
{
	struct fuzzed *f = arg;

	assert(!f->closes++ && code && strlen(reason) <= WEBSOCKET_REASON);
}

static const struct websocket_ops ops = { .message = on_message, .closed = on_closed };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *target = xasprintf("/%.*s", (int)size, (const char *)data);
	struct shell_request request;
	struct fuzzed whole = { 0 }, cut = { 0 };
	struct websocket *one = websocket_new(false, LONGEST, &ops, &whole);
	struct websocket *two = websocket_new(false, LONGEST, &ops, &cut);

	if (shell_request_read(target, &request))
		assert(!*request.session || uuid_valid(request.session));
	websocket_feed(one, data, size);
	for (size_t i = 0; i < size; i++)
		websocket_feed(two, data + i, 1);
	/* wslay looks at the text of a close piece by piece, and overlooks more of it in small
	 * ones. */
	if (!whole.closes)
		assert(whole.taken == cut.taken && !cut.closes);
	assert(whole.taken <= size && cut.taken <= size);
	websocket_free(one);
	websocket_free(two);
	return 0;
}
