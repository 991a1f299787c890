/* published.h - ports of the host that are leased to microVMs (doze publish).
 *
 * A lease is a row of the store, known here once it is durable.  It lasts until it is given back or
 * its microVM has ended; two microVMs never have the same port. */
#ifndef CONTROL_MODEL_PUBLISHED_H
#define CONTROL_MODEL_PUBLISHED_H

#include <arpa/inet.h>

#include "control/model/model.h"
#include "ipc/route.h"

#define PUBLISHED_MOST 32 /* of one microVM */

struct published {
	struct hash_node by_port;
	struct control *ctl; /* borrowed */
	struct microvm *vm;  /* borrowed; NULL: its row was left out, and the port stays taken */
	uint16_t port, target;
	bool datagrams;
	char listen[INET6_ADDRSTRLEN];
	json_t *from; /* ranges as texts; owned */
	struct cidr sources[ROUTE_SOURCES];
	size_t n_sources;
	int64_t created_ms;
	int fd;        /* bound; -1: not yet, or `problem` says why not.  Owned */
	char *problem; /* owned; NULL: none */
	bool changing; /* its row is on its way to the store, or out of it */
};

/* It is in the table from now on; @from is taken over. */
struct published *published_new(struct control *ctl, struct microvm *vm, uint16_t port,
				json_t *from);
void published_free(struct published *p);
struct published *published_find(const struct control *ctl, uint16_t port);
bool published_is_of(const struct published *p, const struct microvm *vm); /* and durable */
void published_put(struct store_txn *t, const struct published *p);
/* Of a row, when all rows are loaded.  Those of microVMs that have ended are passed over. */
void published_load(struct control *ctl, const struct store_published *row);

#endif
