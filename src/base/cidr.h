/* cidr.h - ranges of addresses: "10.0.0.0/8", "2001:db8::/32", or one address.  Pure. */
#ifndef BASE_CIDR_H
#define BASE_CIDR_H

#include <sys/socket.h>

#include "base/base.h"

struct cidr {
	uint8_t bits; /* of the prefix */
	uint8_t size; /* of the address: 4 or 16 bytes */
	uint8_t address[16];
};

/* False: it is no range.  Bits behind the prefix must be zero, since whoever sets them means
 * something else than a prefix says. */
bool cidr_read(const char *text, struct cidr *range) must_check;
/* An IPv4 address that stands in an IPv6 one counts as what it is. */
bool cidr_has(const struct cidr *range, const struct sockaddr_storage *address);
/* Is it what cidr_read makes?  For a range that came from another process. */
bool cidr_is_sane(const struct cidr *range);

#endif
