#include "wire/ws_frames.h"

#define WS_CLOSE 0x8

/* How long the head of a frame is, without its mask. */
static unsigned ws_frames_head_size(const struct ws_frames *f)
{
	unsigned length = f->head_size < 2 ? 0 : f->head[1] & 0x7f;

	return length == 127 ? 10 : length == 126 ? 4 : 2;
}

static void ws_frames_headed(struct ws_frames *f)
{
	uint64_t length = f->head[1] & 0x7f;
	bool masked = f->head[1] & 0x80;

	if (f->head_size > 2)
		length = 0;
	for (unsigned i = 2; i < f->head_size; i++)
		length = length << 8 | f->head[i];
	if (length >> 63)
		f->broken = true;
	f->left = length + (masked ? 4 : 0);
	f->closed = f->closed || (f->head[0] & 0xf) == WS_CLOSE;
	f->head_size = 0;
}

void ws_frames_pass(struct ws_frames *f, const uint8_t *data, size_t size)
{
	while (size && !f->broken) {
		if (f->left) {
			size_t n = f->left < size ? (size_t)f->left : size;

			f->left -= n;
			data += n;
			size -= n;
			continue;
		}
		f->head[f->head_size++] = *data++;
		size--;
		if (f->head_size >= 2 && f->head_size == ws_frames_head_size(f))
			ws_frames_headed(f);
	}
}

bool ws_frames_between(const struct ws_frames *f)
{
	return !f->head_size && !f->left && !f->broken;
}
