#include "net/quota.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

struct quota {
	struct hash by_address;
	struct client_limits limits;
	size_t connections, bytes;
	bool freeing;
};

static const struct client_limits quota_defaults = CLIENT_LIMITS;

struct quota *quota_new(void)
{
	struct quota *q = xcalloc(1, sizeof(*q));

	hash_init(&q->by_address);
	q->limits = quota_defaults;
	return q;
}

void quota_limit(struct quota *q, const struct client_limits *limits)
{
	q->limits = *limits;
}

static void quota_free_if_done(struct quota *q)
{
	if (!q->freeing || q->by_address.n)
		return;
	hash_free(&q->by_address);
	free(q);
}

void quota_free(struct quota *q)
{
	q->freeing = true;
	quota_free_if_done(q);
}

/* Put the bytes of @from that count into @to, and return how many they are. */
static size_t quota_address(const struct sockaddr_storage *from, uint8_t to[8])
{
	const struct sockaddr_in6 *six = (const void *)from;
	const struct sockaddr_in *four = (const void *)from;

	if (from->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
		memcpy(to, six->sin6_addr.s6_addr + 12, 4);
		return 4;
	}
	if (from->ss_family == AF_INET6) {
		memcpy(to, six->sin6_addr.s6_addr, 8);
		return 8;
	}
	if (from->ss_family != AF_INET)
		return 0;
	memcpy(to, &four->sin_addr, 4);
	return 4;
}

struct quota_source *quota_source(struct quota *q, const struct sockaddr_storage *address)
{
	uint8_t key[8] = { 0 };
	size_t size = quota_address(address, key);
	struct quota_source *s =
		hash_find(&q->by_address, key, size, struct quota_source, in_quota);

	if (s)
		return s;
	s = xcalloc(1, sizeof(*s));
	s->quota = q;
	memcpy(s->address, key, sizeof(key));
	s->address_size = size;
	list_init(&s->waiting);
	hash_add(&q->by_address, &s->in_quota, s->address, size);
	return s;
}

enum quota_room quota_room(const struct quota_source *s)
{
	const struct quota *q = s->quota;

	if (s->connections >= (size_t)q->limits.connections_per_address)
		return QUOTA_ADDRESS_FULL;
	return q->connections >= (size_t)q->limits.connections ? QUOTA_FULL : QUOTA_ROOM;
}

void quota_enter(struct quota_source *s)
{
	s->connections++;
	s->quota->connections++;
}

void quota_leave(struct quota_source *s)
{
	s->connections--;
	s->quota->connections--;
	quota_drop(s);
}

void quota_drop(struct quota_source *s)
{
	struct quota *q = s->quota;

	if (s->connections)
		return;
	assert(!s->bytes && list_empty(&s->waiting));
	hash_del(&q->by_address, &s->in_quota);
	free(s);
	quota_free_if_done(q);
}

bool quota_keep(struct quota_source *s, size_t *kept, size_t size)
{
	struct quota *q = s->quota;
	size_t now = *kept + size;

	/* A small request is always let in, however much the others hold: the number of
	 * connections bounds what they all keep in this way. */
	if (now > LIMIT_UNVERIFIED_FREE &&
	    (q->bytes + size > (size_t)q->limits.unverified_bytes ||
	     s->bytes + size > (size_t)q->limits.unverified_bytes_per_address))
		return false;
	*kept = now;
	s->bytes += size;
	q->bytes += size;
	return true;
}

void quota_release(struct quota_source *s, size_t *kept)
{
	s->bytes -= *kept;
	s->quota->bytes -= *kept;
	*kept = 0;
}
