/* listen.h - the addresses of [service] listen. */
#ifndef CONF_LISTEN_H
#define CONF_LISTEN_H

#include <arpa/inet.h>

#include "base/err.h"

#define LISTEN_ADDRESSES 10 /* of one listener: 8 that are given, and the two loopbacks */

struct listen_addresses {
	char at[LISTEN_ADDRESSES + 1][INET6_ADDRSTRLEN]; /* room for that of guests besides */
	size_t n;
};

/* IPv4 and IPv6 addresses with blanks between them, 8 at most.  127.0.0.1 and ::1 are added unless
 * 0.0.0.0 and :: stand there: clients on this host use them. */
int listen_read(const char *text, struct listen_addresses *to, struct err *e) must_check;
bool listen_is_address(const char *text);
bool listen_is_wild(const char *address);     /* 0.0.0.0, :: */
bool listen_is_loopback(const char *address); /* 127.0.0.0/8, ::1 */

#endif
