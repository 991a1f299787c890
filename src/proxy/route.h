/* route.h - what the proxy knows about each endpoint.  Pure: no I/O, time is an argument.
 *
 * The rows come from control (ipc/route.h).  While control is away they stay as they are.  When a
 * new connection of control has sent SYNCED, the rows that it did not send are dropped. */
#ifndef PROXY_ROUTE_H
#define PROXY_ROUTE_H

#include "base/hash.h"
#include "ipc/route.h"
#include "proxy/app_port.h"
#include "proxy/held_requests.h"
#include "proxy/notes.h"

#define ROUTE_LEARNED 8 /* ports whose kept connections the application closes early */

/* How long a port's connections may be kept; pool.c */
struct learned {
	uint16_t port; /* 0: free */
	int64_t keep_ms, until_ms;
};

struct route {
	struct hash_node in_table; /* by row.endpoint */
	struct route_set row;
	bool held;   /* control sent HOLD: new requests wait although the row is OPEN */
	bool seen;   /* the current connection of control sent it */
	bool woken;  /* WAKE was sent for those who wait */
	bool active; /* bytes moved since the last ACTIVE, so it is in the table's list */
	struct list in_active;
	int64_t opened_ms;    /* monotonic: when it became OPEN with this machine */
	int64_t last_byte_ms; /* wall clock; 0: none */
	struct held_requests waiting;
	struct list relays; /* requests, flows and upgraded connections inside the machine */
	struct list idle;   /* kept connections to it (pool.h) */
	size_t n_idle;
	struct list sessions;  /* shared connections to it (sessions.h) */
	struct list lines;     /* of its ports (line.h) */
	struct list published; /* ports of the host (publish.h) */
	size_t n_published;    /* connections and flows that came by them */
	struct learned learned[ROUTE_LEARNED];
	struct app_ports app_ports; /* of its machine */
	struct notes notes;
	unsigned entered;   /* requests that shares.c has let in */
	struct meter meter; /* since control was told last */
	struct list in_metered;
};

struct route_table {
	struct hash by_endpoint;
	struct list active; /* routes with bytes to report */
};

/* What happens to a request that may go in. */
enum route_gate { GATE_GO, GATE_HOLD, GATE_REFUSE, GATE_NUM };

void route_table_init(struct route_table *t);
void route_table_free(struct route_table *t); /* call it when the table is empty */

struct route *route_find(const struct route_table *t, const char *endpoint); /* NULL: unknown */

/* Take a row.  *left says that its old machine may no longer be used, so what runs in it must end.
 */
struct route *route_put(struct route_table *t, const struct route_set *row, int64_t now_ms,
			bool *left);
/* route_unsee begins a connection of control.  At SYNCED, route_unseen finds the routes that it did
 * not send, for route_free. */
void route_unsee(struct route_table *t);
struct route *route_unseen(const struct route_table *t); /* one of them, NULL: none left */
/* Nobody may wait there, run there, or keep a connection there. */
void route_free(struct route_table *t, struct route *r);

enum route_gate route_gate(const struct route *r);
/* True if somebody waits at a sleeping endpoint and control was not told; then false until the
 * state changes. */
bool route_take_wake(struct route *r);

void route_touch(struct route_table *t, struct route *r, int64_t wall_ms); /* a byte moved */
struct route *route_take_active(struct route_table *t); /* to report; NULL: no more */

#endif
