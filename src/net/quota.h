/* quota.h - how much of a server strangers hold, in all and from each address.  Pure.
 *
 * What is counted are connections, and bytes that are kept in memory for a request that is not
 * trusted yet.  An address is an IPv4 address or the first 64 bits of an IPv6 one, since a host
 * has all addresses of its /64.  Connections of local sockets count as of one address. */
#ifndef NET_QUOTA_H
#define NET_QUOTA_H

#include <sys/socket.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/list.h"

struct quota;

/* An address that has connections.  It lives as long as the last of them. */
struct quota_source {
	struct hash_node in_quota;
	struct quota *quota; /* borrowed */
	uint8_t address[8];
	size_t address_size;
	size_t connections, bytes;
	struct list waiting; /* for the server: connections of this address that may be ended
				(http_server.c) */
};

enum quota_room {
	QUOTA_ROOM,
	QUOTA_FULL,         /* there are as many connections as there may be */
	QUOTA_ADDRESS_FULL, /* ... from this address */
	QUOTA_NUM_ROOMS
};

struct quota *quota_new(void);
void quota_limit(struct quota *q, const struct client_limits *limits);
void quota_free(struct quota *q); /* the memory is freed with the last source */

/* Find or make the source of a connection from @address.  Call quota_room next, and then
 * quota_enter or quota_drop. */
struct quota_source *quota_source(struct quota *q, const struct sockaddr_storage *address);
enum quota_room quota_room(const struct quota_source *s);
void quota_enter(struct quota_source *s);
void quota_leave(struct quota_source *s); /* call it once for each quota_enter; it may free *s */
void quota_drop(struct quota_source *s);  /* frees it if it has no connections */

/* One request, which has *kept bytes so far, keeps @size more.  False: there is no room for them.
 */
bool quota_keep(struct quota_source *s, size_t *kept, size_t size) must_check;
void quota_release(struct quota_source *s, size_t *kept);

#endif
