/* A WebSocket's bytes: however they are cut, its frames end at the same places. */

#include <assert.h>

#include "wire/ws_frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ws_frames whole = { 0 }, cut = { 0 };
	size_t step;

	if (!size)
		return 0;
	step = (size_t)data[0] % 7 + 1;
	ws_frames_pass(&whole, data + 1, size - 1);
	for (size_t at = 1; at < size; at += step)
		ws_frames_pass(&cut, data + at, size - at < step ? size - at : step);
	assert(ws_frames_between(&whole) == ws_frames_between(&cut));
	assert(whole.left == cut.left && whole.closed == cut.closed && whole.broken == cut.broken);
	return 0;
}
