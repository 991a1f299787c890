/* issue.h - makes and revokes access keys and sessions: durable first, then known, then told.
 *
 * A secret leaves once, in the answer that is made of the new key. */
#ifndef CONTROL_API_ISSUE_H
#define CONTROL_API_ISSUE_H

#include "control/api/call.h"

#define ISSUE_MOST      5000 /* keys of an account, and as many sessions */
#define ISSUE_MOST_EACH 1000 /* sessions of one user or role */

/* A fresh key of an account, or (@session) one with a session token.  Who it stands for and what
 * it may do is for the caller to fill in. */
struct access_key *issue_new(struct control *ctl, const char *account, bool session);

typedef void issue_answer(struct call *c, const struct access_key *key);
typedef void issue_undo(struct call *c);
/* Takes @key, and @t with what else is written (NULL: nothing), over; @answer ends the call.  @undo
 * (NULL: nothing) is for what else was begun, where there will be no key: the store has failed, or
 * the caller's own key was revoked meanwhile. */
void issue_key(struct call *c, struct access_key *key, struct store_txn *t, issue_answer *answer,
	       issue_undo *undo);

/* Takes @t over; all keys that @which names let nobody in from now on, and are unknown once it is
 * durable.  Answers c->made. */
typedef bool issue_which(const struct access_key *key, const void *arg);
void issue_revoke(struct call *c, struct store_txn *t, issue_which *which, const void *arg);

/* False: the account has all the keys that it may have; with @arn, all the sessions, or those of
 * this one. */
bool issue_has_room(struct control *ctl, const char *account, const char *arn);

/* Forgets the keys that expired a day ago, and the sessions that did an hour ago. */
void issue_forget(struct control *ctl);

#endif
