/* account.h - accounts, and what belongs to each of them.
 *
 * Nothing of one account is found by a request of another: whoever looks something up for a request
 * names the account, and lists are those of an account. */
#ifndef CONTROL_MODEL_ACCOUNT_H
#define CONTROL_MODEL_ACCOUNT_H

#include <jansson.h>

#include "base/hash.h"
#include "base/list.h"
#include "iam/principal.h"

struct control;
struct store_account;
struct store_txn;

#define ACCOUNT_QUOTAS 16 /* kinds of them, at most */

struct account {
	struct hash_node by_id;
	char id[ACCOUNT_SIZE];
	char *name; /* owned; NULL: it has no row, as that of the configuration, or is gone */
	int64_t created_ms;
	json_t *params;       /* owned; NULL: none */
	struct list images;   /* in_account, in order of creation */
	struct list microvms; /* likewise */
	size_t n_images;
	int64_t running, running_mib; /* its microVMs that are not TERMINATED, from their run on */
	bool changing;                /* its row is on its way to the store */
	int64_t due_us[ACCOUNT_QUOTAS]; /* of its calls (model/quotas.h) */
};

struct account *account_find(const struct control *ctl, const char *id); /* NULL: none */
/* Made if nothing belongs to it yet. */
struct account *account_of(struct control *ctl, const char *id);
/* It has a row, or is that of the configuration. */
bool account_is_open(const struct control *ctl, const struct account *a);
void account_name(struct account *a, const char *name,
		  int64_t created_ms); /* NULL: none any more */
void account_put(struct store_txn *t, const struct account *a);
void account_load(struct control *ctl, const struct store_account *row);
/* A microVM of it counts from now on (1), or no longer (-1). */
void account_count(struct account *a, int64_t memory_mib, int n);
void accounts_free(struct control *ctl);

#endif
