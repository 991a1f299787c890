/* route.h - what the proxy knows of each endpoint.  Pure: no I/O, time is an argument.
 *
 * The rows come from control (ipc/route.h).  While control is away the rows stay as they
 * are; after a new connection's SYNCED those that it did not send again are dropped. */
#ifndef PROXY_ROUTE_H
#define PROXY_ROUTE_H

#include "base/hash.h"
#include "ipc/route.h"
#include "proxy/held_requests.h"

struct route {
	struct hash_node in_table; /* by row.endpoint */
	struct route_set row;
	bool held;   /* control asked to HOLD: new requests wait though the row is OPEN */
	bool seen;   /* sent again since the last connection began */
	bool woken;  /* WAKE was sent for those who wait */
	bool active; /* bytes went since the last ACTIVE: in the table's list */
	struct list in_active;
	int64_t opened_ms;    /* monotonic: when it became OPEN, with this machine */
	int64_t last_byte_ms; /* wall clock; 0: none */
	struct held_requests waiting;
	struct list relays; /* requests and upgraded connections inside the machine */
	struct list idle;   /* kept connections to it (pool.h) */
};

struct route_table {
	struct hash by_endpoint;
	struct list active; /* routes with bytes to report */
};

/* What may happen to a request that is let in. */
enum route_gate { GATE_GO, GATE_HOLD, GATE_REFUSE, GATE_NUM };

void route_table_init(struct route_table *t);
void route_table_free(struct route_table *t); /* when it is empty */

struct route *route_find(const struct route_table *t, const char *endpoint); /* NULL: unknown */

/* Take a row.  *left: its machine may no longer be used: end what runs in it. */
struct route *route_put(struct route_table *t, const struct route_set *row, int64_t now_ms,
			bool *left);
/* A connection of control begins; at SYNCED: call with each route that it did not send, then
 * route_free. */
void route_unsee(struct route_table *t);
struct route *route_unseen(const struct route_table *t); /* one of them, NULL: none left */
/* Nobody may wait, run or idle there any more. */
void route_free(struct route_table *t, struct route *r);

enum route_gate route_gate(const struct route *r);
/* Somebody waits at a sleeping endpoint and control does not know: true once, until it changes. */
bool route_take_wake(struct route *r);

void route_touch(struct route_table *t, struct route *r, int64_t wall_ms); /* a byte went */
struct route *route_take_active(struct route_table *t); /* to report; NULL: no more */

#endif
