/* access_key.h - access keys (iam/keys.h) as rows of the store. */
#ifndef CONTROL_MODEL_ACCESS_KEY_H
#define CONTROL_MODEL_ACCESS_KEY_H

#include "control/control.h"
#include "control/store/store.h"

void access_key_put(struct store_txn *t, const struct access_key *key);
/* A row whose policy cannot be read is kept, and lets nobody in. */
void access_key_load(struct control *ctl, const struct store_access_key *row);
/* The newest key of this account that has this id or name; NULL: there is none.  A session has no
 * name of its own. */
struct access_key *access_key_named(const struct control *ctl, const char *account,
				    const char *text);

#endif
