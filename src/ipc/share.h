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

#define SHARE_TOKENS 8192 /* that are in use at once, at most; beyond them none is limited */

/* When the next one would come at the rate allowed; monotonic. */
typedef _Atomic int64_t share_due;

struct share {
	atomic_uint running[SUPER_WORKER_SLOTS]; /* requests and upgraded connections in it */
	share_due due_us;                        /* of requests */
	share_due published_due_us;              /* of clients of its published ports */
	share_due bytes_due_ns;                  /* of bytes */
};

/* A token that is in use.  One that nobody uses makes room for another. */
struct share_token {
	_Atomic uint64_t key; /* a hash of it; 0: free */
	atomic_uint running[SUPER_WORKER_SLOTS];
};

struct shares {
	struct share rows[SHARES_MAX];
	struct share_token tokens[SHARE_TOKENS];
};

/* Makes the memory of a host's workers, whose size nobody can change.  -1: *e says why. */
int shares_make(struct err *e) must_check;
/* NULL: *e says why. */
struct shares *shares_map(int fd, struct err *e);
void shares_clear(struct shares *s, unsigned worker);

/* One more of @worker runs there.  False: more than @most would, and nothing changes. */
bool share_enter(struct share *s, unsigned worker, unsigned most) must_check;
void share_leave(struct share *s, unsigned worker);
/* May one more come, at a rate of @per_second with a burst of as many?  */
bool share_pass(share_due *due_us, unsigned per_second, int64_t now_us) must_check;
/* So many bytes passed.  For how long must no more, at that rate with a burst of as many; ns.  */
int64_t share_charge(share_due *due_ns, size_t bytes, uint64_t per_second, int64_t now_ns);

/* One more uses this token.  NULL: more than @most would, and nothing changes, or *full: as many
 * tokens are in use as can be counted. */
struct share_token *share_token_enter(struct shares *s, uint64_t key, unsigned worker,
				      unsigned most, bool *full);
void share_token_leave(struct share_token *t, unsigned worker);

#endif
