/* shares.h - how many requests a microVM may have at once and in a second, over all workers. */
#ifndef PROXY_SHARES_H
#define PROXY_SHARES_H

#include "conf/conf.h"
#include "ipc/share.h"
#include "proxy/route.h"

struct worker_shares {
	struct shares *map; /* until the supervisor's comes, one of our own */
	unsigned worker;
};

int worker_shares_init(struct worker_shares *w, struct err *e) must_check;
/* Takes the descriptor over.  Must come before the first request. */
int worker_shares_set(struct worker_shares *w, unsigned worker, int fd, struct err *e) must_check;

/* May a request with this token go in now?  Then it has entered, and must leave; else *why says
 * what limits it. */
bool worker_shares_enter(struct worker_shares *w, const struct conf *conf, struct route *r,
			 uint64_t token, int64_t now_us, struct share_token **in_token,
			 enum refusal *why) must_check;
void worker_shares_leave(struct worker_shares *w, struct route *r);
void worker_shares_leave_token(struct worker_shares *w, struct share_token *t); /* NULL is fine */
/* May a client come by a published port?  */
bool worker_shares_publish(struct worker_shares *w, const struct conf *conf, const struct route *r,
			   int64_t now_us) must_check;
/* Are bytes limited?  If not, nobody needs to charge them. */
bool worker_shares_limit_bytes(const struct conf *conf);
/* Bytes passed: for how many ns must no more, if they are limited.  */
int64_t worker_shares_charge(struct worker_shares *w, const struct conf *conf,
			     const struct route *r, size_t bytes, int64_t now_ns);
/* The route has another row now, or ends (its own is 0 then). */
void worker_shares_move(struct worker_shares *w, struct route *r, uint32_t old_share);

#endif
