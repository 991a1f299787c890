/* flows.h - flows of datagrams by the address they come from, oldest use first.  Pure: time is an
 * argument. */
#ifndef PROXY_FLOWS_H
#define PROXY_FLOWS_H

#include <sys/socket.h>

#include "base/hash.h"
#include "base/list.h"

#define FLOW_KEY 22 /* address, port and scope */

/* Embedded in a flow. */
struct flow_node {
	struct hash_node in_table;
	struct list in_used;
	int64_t used_ms;
	uint8_t key[FLOW_KEY];
};

struct flows {
	struct hash by_address;
	struct list used; /* the oldest use first */
};

void flows_init(struct flows *f);
void flows_free(struct flows *f); /* call it when it is empty */

/* False: it is no address of a flow. */
bool flows_key(const struct sockaddr_storage *from, uint8_t key[FLOW_KEY]) must_check;
struct flow_node *flows_find(const struct flows *f, const uint8_t key[FLOW_KEY]);
void flows_add(struct flows *f, struct flow_node *n, const uint8_t key[FLOW_KEY], int64_t now_ms);
void flows_use(struct flows *f, struct flow_node *n, int64_t now_ms);
void flows_del(struct flows *f, struct flow_node *n);

struct flow_node *flows_oldest(const struct flows *f); /* NULL: none */
/* One that nobody has used for so long, or NULL. */
struct flow_node *flows_late(const struct flows *f, int64_t now_ms, int64_t silence_ms);

#endif
