/* priv.h - the state of the priv role, and how its parts answer.
 *
 * priv has one loop; work that may block runs in a child. A struct request stands for a request
 * that is not answered yet. It is answered once, with its own tag, unless the requester is gone by
 * then. */
#ifndef PRIV_PRIV_H
#define PRIV_PRIV_H

#include "conf/conf.h"
#include "ipc/priv.h"
#include "ipc/super.h"
#include "priv/cgroup.h"
#include "priv/host_setup.h"
#include "priv/layer_store.h"
#include "priv/seccomp_filter.h"
#include "priv/slot.h"

struct priv;

struct peer {
	struct priv *priv;
	struct chan chan; /* sock -1: not there */
	struct watch watch;
	uint64_t generation; /* number of the connection, so that no answer goes to a later one */
};

struct request {
	enum priv_owner_role role;
	uint64_t generation, tag;
};

/* The user and group of an owner role. */
struct owner {
	const char *name;
	uid_t uid;
	gid_t gid;
};

struct priv {
	const struct conf *conf;
	struct names names;
	struct loop *loop;
	struct cgroups groups;
	struct slots slots;
	struct host_setup host;
	struct layer_store layers;
	struct seccomp_filter filter; /* of machines */
	char *machines_dir, *stage_dir, *log_path;
	struct owner owners[PRIV_NUM_OWNERS];
	gid_t proxy_gid;
	uid_t build_uid;
	gid_t build_gid;

	struct chan super;
	struct watch super_watch;
	struct peer peers[PRIV_NUM_OWNERS];
	struct list machines, builds;
	unsigned n_credentials; /* programs that run: credentials.c */
	struct timer stop_timer;
	bool stopping, keep;
};

void priv_answer(struct priv *p, const struct request *a, uint32_t type, const void *body,
		 size_t size);
void priv_done(struct priv *p, const struct request *a);
void priv_refuse(struct priv *p, const struct request *a, const struct err *e);
/* Sends an event to the owner; false if it is not there. */
bool priv_notify(struct priv *p, enum priv_owner_role role, uint32_t type, const void *body,
		 size_t size);
#endif
