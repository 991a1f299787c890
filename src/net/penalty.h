/* penalty.h - addresses that fail too often to prove who they are.  Pure.
 *
 * An address has a budget of failures, which comes back evenly within a minute.  While it is used
 * up the address is penalized.  Addresses are those of quota.h; 127.0.0.1, ::1 and local sockets
 * have no budget, since what runs on this host can be found there.  At most PENALTY_ADDRESSES are
 * known: if more fail, the one whose last failure is the oldest is forgiven. */
#ifndef NET_PENALTY_H
#define NET_PENALTY_H

#include "net/quota.h"

#define PENALTY_ADDRESSES 4096

struct penalties;

struct penalties *penalties_new(void);
void penalties_limit(struct penalties *all, int64_t per_minute); /* 0: none */
void penalties_free(struct penalties *all);

void penalty_add(struct penalties *all, const struct quota_source *from, int64_t now_ms);
bool penalty_is_due(struct penalties *all, const struct quota_source *from, int64_t now_ms);

#endif
