#include "control/model/account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"
#include "control/store/store.h"

struct account *account_find(const struct control *ctl, const char *id)
{
	return hash_find(&ctl->accounts, id, strlen(id), struct account, by_id);
}

struct account *account_of(struct control *ctl, const char *id)
{
	struct account *a = account_find(ctl, id);

	if (a)
		return a;
	a = xcalloc(1, sizeof(*a));
	snprintf(a->id, sizeof(a->id), "%s", id);
	list_init(&a->images);
	list_init(&a->microvms);
	hash_add(&ctl->accounts, &a->by_id, a->id, strlen(a->id));
	return a;
}

bool account_is_open(const struct control *ctl, const struct account *a)
{
	return a->name || !strcmp(a->id, ctl->conf->account);
}

void account_name(struct account *a, const char *name, int64_t created_ms)
{
	free(a->name);
	a->name = name ? xstrdup(name) : NULL;
	a->created_ms = created_ms;
}

void account_put(struct store_txn *t, const struct account *a)
{
	autofree char *params = a->params ? json_dumps(a->params, JSON_COMPACT) : NULL;

	store_put_account(t, &(struct store_account){
				     .id = a->id,
				     .name = a->name,
				     .state = "ACTIVE",
				     .created_ms = a->created_ms,
				     .params = params,
			     });
}

void account_load(struct control *ctl, const struct store_account *row)
{
	struct account *a = account_of(ctl, row->id);

	account_name(a, row->name ? row->name : "", row->created_ms);
	a->params = row->params ? json_loads(row->params, 0, NULL) : NULL;
}

void account_count(struct account *a, int64_t memory_mib, int n)
{
	a->running += n;
	a->running_mib += n * memory_mib;
	assert(a->running >= 0 && a->running_mib >= 0);
}

void accounts_free(struct control *ctl)
{
	hash_each(a, &ctl->accounts, struct account, by_id)
	{
		hash_del(&ctl->accounts, &a->by_id);
		json_decref(a->params);
		free(a->name);
		free(a);
	}
	hash_free(&ctl->accounts);
}
