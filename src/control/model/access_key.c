#include "control/model/access_key.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

void access_key_put(struct store_txn *t, const struct access_key *key)
{
	store_put_access_key(t, &(struct store_access_key){
					.id = key->who.key,
					.account = key->who.account,
					.name = key->who.name,
					.secret = key->secret,
					.session = key->session,
					.arn = key->who.arn,
					.policy = key->policy,
					.state = key->active ? "ACTIVE" : "INACTIVE",
					.created_ms = key->created_ms,
					.expires_ms = key->expires_ms,
				});
}

void access_key_load(struct control *ctl, const struct store_access_key *row)
{
	struct access_key *key = key_new(row->id, row->secret);
	struct err e;

	snprintf(key->who.account, sizeof(key->who.account), "%s", row->account);
	snprintf(key->who.name, sizeof(key->who.name), "%s", row->name ? row->name : "");
	snprintf(key->who.arn, sizeof(key->who.arn), "%s", row->arn ? row->arn : "");
	key->session = row->session ? xstrdup(row->session) : NULL;
	key->active = !strcmp(row->state, "ACTIVE");
	key->created_ms = row->created_ms;
	key->expires_ms = row->expires_ms;
	if (key_allow(key, row->policy, &e)) {
		log_err("an access key is refused: its policy cannot be read key=%s error=\"%s\"",
			row->id, e.text);
		key->active = false;
	}
	keys_put(&ctl->keys, key);
}

struct access_key *access_key_named(const struct control *ctl, const char *account,
				    const char *text)
{
	struct access_key *found = NULL;

	hash_each(key, &ctl->keys.by_id, struct access_key, by_id)
	{
		bool is = !strcmp(key->who.key, text) ||
			  (!key->session && !strcmp(key->who.name, text));

		if (is && !strcmp(key->who.account, account) &&
		    (!found || key->created_ms > found->created_ms))
			found = key;
	}
	return found;
}
