#include "base/rand.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hex.h"

void rand_bytes(void *to, size_t size)
{
	uint8_t *at = to;

	while (size) {
		ssize_t n = getrandom(at, size, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			abort();
		at += n;
		size -= (size_t)n;
	}
}

void rand_draw(struct rand_stock *s, void *to, size_t size)
{
	uint8_t *at;

	if (size > sizeof(s->bytes)) {
		rand_bytes(to, size);
		return;
	}
	if (s->left < size) {
		rand_bytes(s->bytes, sizeof(s->bytes));
		s->left = sizeof(s->bytes);
	}
	at = s->bytes + sizeof(s->bytes) - s->left;
	memcpy(to, at, size);
	explicit_bzero(at, size);
	s->left -= size;
}

static void rand_put_uuid(uint8_t b[16], char out[UUID_SIZE])
{
	static const struct {
		size_t from, size;
	} groups[] = { { 0, 4 }, { 4, 2 }, { 6, 2 }, { 8, 2 }, { 10, 6 } };

	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		hex_encode(b + groups[i].from, groups[i].size, out);
		out += groups[i].size * 2;
		*out++ = i + 1 < ARRAY_SIZE(groups) ? '-' : '\0';
	}
}

void rand_uuid(char out[UUID_SIZE])
{
	uint8_t b[16];

	rand_bytes(b, sizeof(b));
	rand_put_uuid(b, out);
}

void rand_draw_uuid(struct rand_stock *s, char out[UUID_SIZE])
{
	uint8_t b[16];

	rand_draw(s, b, sizeof(b));
	rand_put_uuid(b, out);
}

static bool uuid_is_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool uuid_valid(const char *text)
{
	for (size_t i = 0; i < UUID_SIZE - 1; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !uuid_is_digit(text[i]))
			return false;
	}
	return text[UUID_SIZE - 1] == '\0';
}
