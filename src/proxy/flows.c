#include "proxy/flows.h"

#include <netinet/in.h>
#include <string.h>

void flows_init(struct flows *f)
{
	hash_init(&f->by_address);
	list_init(&f->used);
}

void flows_free(struct flows *f)
{
	hash_free(&f->by_address);
}

bool flows_key(const struct sockaddr_storage *from, uint8_t key[FLOW_KEY])
{
	const struct sockaddr_in6 *six = (const void *)from;
	const struct sockaddr_in *four = (const void *)from;

	memset(key, 0, FLOW_KEY);
	if (from->ss_family == AF_INET) {
		memcpy(key, &four->sin_port, 2);
		memcpy(key + 2, &four->sin_addr, 4);
	} else if (from->ss_family == AF_INET6) {
		memcpy(key, &six->sin6_port, 2);
		memcpy(key + 2, &six->sin6_addr, 16);
		memcpy(key + 18, &six->sin6_scope_id, 4);
	} else {
		return false;
	}
	return key[0] || key[1]; /* nobody can be answered on port 0 */
}

struct flow_node *flows_find(const struct flows *f, const uint8_t key[FLOW_KEY])
{
	return hash_find(&f->by_address, key, FLOW_KEY, struct flow_node, in_table);
}

void flows_add(struct flows *f, struct flow_node *n, const uint8_t key[FLOW_KEY], int64_t now_ms)
{
	memcpy(n->key, key, FLOW_KEY);
	n->used_ms = now_ms;
	hash_add(&f->by_address, &n->in_table, n->key, FLOW_KEY);
	list_add(&f->used, &n->in_used);
}

void flows_use(struct flows *f, struct flow_node *n, int64_t now_ms)
{
	n->used_ms = now_ms;
	list_del(&n->in_used);
	list_add(&f->used, &n->in_used);
}

void flows_del(struct flows *f, struct flow_node *n)
{
	hash_del(&f->by_address, &n->in_table);
	list_del(&n->in_used);
}

struct flow_node *flows_oldest(const struct flows *f)
{
	return list_first(&f->used, struct flow_node, in_used);
}

struct flow_node *flows_late(const struct flows *f, int64_t now_ms, int64_t silence_ms)
{
	struct flow_node *n = flows_oldest(f);

	return n && now_ms - n->used_ms >= silence_ms ? n : NULL;
}
