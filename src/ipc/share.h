/* share.h - what the workers of the proxy have to know of each other for a limit to be exact:
 * memory that all of them map.
 *
 * Each microVM has a row, which control gives it, and each worker a column of its own that nobody
 * else writes, so nothing is locked, and the supervisor clears the column of a worker that died. */
#ifndef IPC_SHARE_H
#define IPC_SHARE_H

#include <stdatomic.h>

#include "base/base.h"
#include "ipc/super.h"

#define SHARES_MAX 16384 /* microVMs that have not ended, at most */

struct share {
	atomic_uint running[SUPER_WORKER_SLOTS]; /* requests and upgraded connections in it */
	_Atomic int64_t
		due_us; /* when the next request would come at the rate allowed; monotonic */
};

struct shares {
	struct share rows[SHARES_MAX];
};

/* Makes the memory of a host's workers, whose size nobody can change.  -1: *e says why. */
int shares_make(struct err *e) must_check;
/* NULL: *e says why. */
struct shares *shares_map(int fd, struct err *e);
void shares_clear(struct shares *s, unsigned worker);

/* One more of @worker runs there.  False: more than @most would, and nothing changes. */
bool share_enter(struct share *s, unsigned worker, unsigned most) must_check;
void share_leave(struct share *s, unsigned worker);
/* May one more request come, at a rate of @per_second with a burst of as many?  */
bool share_pass(struct share *s, unsigned per_second, int64_t now_us) must_check;

#endif
