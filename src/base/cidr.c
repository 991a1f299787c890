#include "base/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* Are the bits from @bits on zero?  */
static bool cidr_ends_at(const struct cidr *r)
{
	size_t byte = r->bits / 8;

	if (r->bits % 8 && r->address[byte++] & 0xffU >> r->bits % 8)
		return false;
	for (; byte < r->size; byte++)
		if (r->address[byte])
			return false;
	return true;
}

static bool cidr_read_bits(const char *text, struct cidr *r)
{
	unsigned bits = 0;
	size_t n = strlen(text);

	if (!n || n > 3 || strspn(text, "0123456789") != n || (n > 1 && *text == '0'))
		return false;
	for (; *text; text++)
		bits = bits * 10 + (unsigned)(*text - '0');
	if (bits > r->size * 8U)
		return false;
	r->bits = (uint8_t)bits;
	return true;
}

bool cidr_read(const char *text, struct cidr *range)
{
	size_t n = strcspn(text, "/");
	char address[INET6_ADDRSTRLEN];
	struct cidr r = { 0 };

	if (n >= sizeof(address))
		return false;
	memcpy(address, text, n);
	address[n] = '\0';
	r.size = strchr(address, ':') ? 16 : 4;
	if (inet_pton(r.size == 16 ? AF_INET6 : AF_INET, address, r.address) != 1)
		return false;
	r.bits = (uint8_t)(r.size * 8);
	if (text[n] && !cidr_read_bits(text + n + 1, &r))
		return false;
	*range = r;
	return cidr_ends_at(&r);
}

/* The bytes of an address, and how many they are; 0: it is none. */
static size_t cidr_bytes(const struct sockaddr_storage *address, const uint8_t **bytes)
{
	const struct sockaddr_in6 *six = (const void *)address;
	const struct sockaddr_in *four = (const void *)address;

	if (address->ss_family == AF_INET) {
		*bytes = (const void *)&four->sin_addr;
		return 4;
	}
	if (address->ss_family != AF_INET6)
		return 0;
	*bytes = six->sin6_addr.s6_addr;
	if (!IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
		return 16;
	*bytes += 12;
	return 4;
}

bool cidr_has(const struct cidr *range, const struct sockaddr_storage *address)
{
	size_t whole = range->bits / 8, rest = range->bits % 8;
	const uint8_t *bytes;

	if (cidr_bytes(address, &bytes) != range->size || memcmp(bytes, range->address, whole) != 0)
		return false;
	return !rest || !((bytes[whole] ^ range->address[whole]) >> (8 - rest));
}

bool cidr_is_sane(const struct cidr *range)
{
	return (range->size == 4 || range->size == 16) && range->bits <= range->size * 8 &&
	       cidr_ends_at(range);
}
