#include "wire/agent.h"

#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"

#define FRAME_HEAD 8
#define FIELD_HEAD 6

int agent_frame_next(const uint8_t *data, size_t size, size_t most, struct agent_frame *f,
		     size_t *used)
{
	uint32_t payload;

	if (size < FRAME_HEAD)
		return 0;
	payload = get_le32(data + 4);
	if (data[1] || data[2] || data[3] || payload > most)
		return -1;
	if (size - FRAME_HEAD < payload)
		return 0;
	*f = (struct agent_frame){ data[0], data + FRAME_HEAD, payload };
	*used = FRAME_HEAD + (size_t)payload;
	return 1;
}

int agent_field_next(const struct agent_frame *f, size_t *at, struct agent_field_view *v)
{
	const uint8_t *p = f->payload + *at;
	size_t left = f->size - *at;
	uint32_t size;

	if (!left)
		return 0;
	if (left < FIELD_HEAD)
		return -1;
	size = get_le32(p + 2);
	if (size > left - FIELD_HEAD)
		return -1;
	*v = (struct agent_field_view){ get_le16(p), p + FIELD_HEAD, size };
	*at += FIELD_HEAD + (size_t)size;
	return 1;
}

static bool agent_find(const struct agent_frame *f, uint16_t tag, struct agent_field_view *v)
{
	size_t at = 0;

	while (agent_field_next(f, &at, v) == 1)
		if (v->tag == tag)
			return true;
	return false;
}

bool agent_get_u64(const struct agent_frame *f, uint16_t tag, uint64_t *value)
{
	struct agent_field_view v;

	if (!agent_find(f, tag, &v) || v.size != 8)
		return false;
	*value = get_le64(v.data);
	return true;
}

bool agent_get_text(const struct agent_frame *f, uint16_t tag, char *to, size_t room)
{
	struct agent_field_view v;

	if (!agent_find(f, tag, &v) || v.size >= room || memchr(v.data, '\0', v.size))
		return false;
	memcpy(to, v.data, v.size);
	to[v.size] = '\0';
	return true;
}

size_t agent_begin(struct buf *b, uint8_t type)
{
	size_t mark = b->size;
	uint8_t head[FRAME_HEAD] = { type };

	buf_add(b, head, sizeof(head));
	return mark;
}

void agent_put(struct buf *b, uint16_t tag, const void *data, size_t size)
{
	uint8_t head[FIELD_HEAD];

	assert(size <= LIMIT_AGENT_TO_GUEST);
	put_le16(head, tag);
	put_le32(head + 2, (uint32_t)size);
	buf_add(b, head, sizeof(head));
	buf_add(b, data, size);
}

void agent_put_text(struct buf *b, uint16_t tag, const char *text)
{
	agent_put(b, tag, text, strlen(text));
}

void agent_put_u64(struct buf *b, uint16_t tag, uint64_t value)
{
	uint8_t bytes[8];

	put_le64(bytes, value);
	agent_put(b, tag, bytes, sizeof(bytes));
}

void agent_end(struct buf *b, size_t mark)
{
	size_t size = b->size - mark - FRAME_HEAD;

	assert(size <= LIMIT_AGENT_TO_GUEST);
	put_le32(b->data + mark + 4, (uint32_t)size);
}
