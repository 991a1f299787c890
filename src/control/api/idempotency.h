/* idempotency.h - a retried request with the same clientToken gets the first one's answer
 * (service.md 2.8).
 *
 * An answer is remembered if and only if it is durable: its token is in the transaction of what it
 * made.  Kept for conf.token_keep_ms; unlike the service, a token whose image is gone is forgotten,
 * so that creating it anew with the same script works. */
#ifndef CONTROL_API_IDEMPOTENCY_H
#define CONTROL_API_IDEMPOTENCY_H

#include "control/api/call.h"

struct replays *replays_new(void);
void replays_free(struct replays *all); /* when no call is under way */

/* True if an earlier call answered this one, will answer it, or it is refused.  @alive says whether
 * what was made is still there (NULL: always). */
bool replay_begin(struct call *c, bool (*alive)(struct control *ctl, const json_t *answer));
/* A transaction that holds the token with the answer c->made; NULL: there is no token.  The call is
 * answered with success only once that is durable. */
struct store_txn *replay_txn(struct call *c);
/* A token that an earlier run of this process remembered. */
void replay_load(struct control *ctl, const struct store_token *row);

#endif
