#include "base/hex.h"

#include <string.h>

void hex_encode(const void *data, size_t size, char *to)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++) {
		to[2 * i] = digits[bytes[i] >> 4];
		to[2 * i + 1] = digits[bytes[i] & 15];
	}
	to[2 * size] = '\0';
}

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int hex_byte(const char *text)
{
	int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

	return low < 0 ? -1 : high << 4 | low;
}

bool hex_decode(const char *text, void *to, size_t size)
{
	uint8_t *bytes = to;

	for (size_t i = 0; i < size; i++) {
		int byte = hex_byte(text + 2 * i);

		if (byte < 0)
			return false;
		bytes[i] = (uint8_t)byte;
	}
	return !text[2 * size];
}

int percent_byte(const char *text, size_t size)
{
	return size < 3 || text[0] != '%' ? -1 : hex_byte(text + 1);
}

bool percent_decode(const char *text, size_t size, bool plus, char *to, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		int byte = (unsigned char)text[i];

		if (text[i] == '%') {
			byte = percent_byte(text + i, size - i);
			i += 2;
		} else if (plus && text[i] == '+') {
			byte = ' ';
		}
		if (byte <= 0 || n + 1 >= room)
			return false;
		to[n++] = (char)byte;
	}
	if (n >= room)
		return false;
	to[n] = '\0';
	return true;
}

static bool percent_is_plain(char c, const char *plain)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       strchr("-._~", c) || strchr(plain, c);
}

void percent_encode(struct buf *to, const char *text, const char *plain)
{
	for (; *text; text++)
		if (percent_is_plain(*text, plain))
			buf_add(to, text, 1);
		else
			buf_addf(to, "%%%02X", (unsigned char)*text);
}
