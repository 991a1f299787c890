/* kms.c - /doze/v1/kms: the keys that seal what is secret in the store (kms/kms.h). */

#include <stdlib.h>
#include <string.h>

#include "control/api/encode.h"
#include "control/api/handlers/handlers.h"
#include "control/api/key_use.h"
#include "control/kms/files.h"
#include "control/pool/pool.h"

static json_t *kms_encode(const struct control *ctl, const struct kms_key *key)
{
	autofree char *arn = kms_arn(ctl, key);
	struct err e;
	bool lost = key->enabled && kms_usable(ctl, key, &e);

	return json_pack("{s:s,s:s,s:s,s:s,s:b,s:I,s:I,s:o,s:o}", "keyId", key->id, "arn", arn,
			 "alias", key->alias, "state",
			 lost           ? "UNAVAILABLE"
			 : key->enabled ? "ENABLED"
					: "DISABLED",
			 "file", (int)key->file, "versions", (json_int_t)key->n_versions, "users",
			 (json_int_t)key->users, "reason", encode_text(lost ? e.text : NULL),
			 "createdAt", encode_time(key->created_ms));
}

/* NULL: there is none, or it is being changed; the call has failed. */
static struct kms_key *kms_named(struct call *c)
{
	const char *text = call_text(c, "key");
	struct err e;
	struct kms_key *key = key_use_find(c, text, &e);

	if (!key)
		call_not_found(c, "There is no key %s in this account and region.", text);
	if (!key || !key->changing)
		return key;
	call_fail_as(c, 409, "ConflictException", "The key is being changed. Try again.");
	return NULL;
}

/* A change: what the key becomes is written before it does. */
struct kms_change {
	struct call *call;
	struct kms_key *key;
	struct kms_key *row; /* what it becomes; NULL: it is made or removed */
	bool removes;
};

static void kms_written(void *arg, int rc, const struct err *e)
{
	struct kms_change *change = arg;
	struct call *c = change->call;
	struct kms_key *key = change->key;

	key->changing = false;
	if (change->row && rc)
		kms_free(c->ctl, change->row);
	else if (change->row)
		kms_become(key, change->row);
	else if (change->removes == !rc) /* it is gone, or never was */
		kms_forget(c->ctl, key);
	if (key->alias && key->enabled)
		kms_files_add(c->ctl, key);
	pool_wake(c->ctl); /* clones come and go with their key, and the key of files after them */
	c->made = key->alias ? kms_encode(c->ctl, key) : json_object();
	free(change);
	call_done(c, rc, e);
}

static void kms_commit(struct store_txn *t, struct kms_change of)
{
	struct kms_change *change = xcalloc(1, sizeof(*change));

	*change = of;
	change->key->changing = true;
	store_commit(t, kms_written, change);
}

void kms_create(struct call *c)
{
	const char *given = call_text(c, "alias");
	autofree char *alias =
		strncmp(given, "alias/", 6) ? xasprintf("alias/%s", given) : xstrdup(given);
	struct store_txn *t;
	struct kms_key *key;
	struct err e;

	if (kms_find(c->ctl, c->who->account, alias, &e)) {
		autofree char *text = xasprintf("There is a key %s already.", alias);

		call_fail_as(c, 409, "ConflictException", text);
		return;
	}
	key = kms_new(c->ctl, c->who->account, alias, false, &e);
	if (!key) {
		call_fail(c, &e);
		return;
	}
	kms_add(c->ctl, key);
	t = store_begin(c->ctl->store);
	kms_put(t, key);
	kms_commit(t, (struct kms_change){ .call = c, .key = key });
}

static int kms_compare(const void *one, const void *two)
{
	const struct kms_key *const *a = one, *const *b = two;

	return strcmp((*a)->alias, (*b)->alias);
}

void kms_list(struct call *c)
{
	autofree struct kms_key **keys =
		xmalloc((c->ctl->kms->by_name.n + 1) * sizeof(struct kms_key *));
	json_t *items = json_array();
	size_t n = 0;

	hash_each(key, &c->ctl->kms->by_name, struct kms_key, by_name)
	{
		if (!strcmp(key->account, c->who->account))
			keys[n++] = key;
	}
	qsort(keys, n, sizeof(struct kms_key *), kms_compare);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(items, kms_encode(c->ctl, keys[i]));
	call_answer(c, json_pack("{s:o}", "items", items));
}

static void kms_change(struct call *c, struct kms_key *key, struct kms_key *row)
{
	struct store_txn *t = store_begin(c->ctl->store);

	kms_put(t, row);
	kms_commit(t, (struct kms_change){ .call = c, .key = key, .row = row });
}

void kms_new_version(struct call *c)
{
	struct kms_key *key = kms_named(c), *row = key ? kms_copy(key) : NULL;
	struct err e;

	if (!key)
		return;
	if (!kms_rotate(c->ctl, row, &e)) {
		kms_change(c, key, row);
		return;
	}
	kms_free(c->ctl, row);
	call_fail(c, &e);
}

static void kms_set_enabled(struct call *c, bool enabled)
{
	struct kms_key *key = kms_named(c), *row = key ? kms_copy(key) : NULL;

	if (!key)
		return;
	row->enabled = enabled;
	kms_change(c, key, row);
}

void kms_enable(struct call *c)
{
	kms_set_enabled(c, true);
}

void kms_disable(struct call *c)
{
	kms_set_enabled(c, false);
}

void kms_delete(struct call *c)
{
	struct kms_key *key = kms_named(c);
	autofree char *text = NULL;
	struct store_txn *t;

	if (!key)
		return;
	if (key->users) {
		text = xasprintf("The key %s still seals %u image versions and microVMs: delete "
				 "them first, or disable the key.",
				 key->alias, key->users);
		call_fail_as(c, 409, "ConflictException", text);
		return;
	}
	t = store_begin(c->ctl->store);
	store_del_kms_key(t, key->id);
	kms_commit(t, (struct kms_change){ .call = c, .key = key, .removes = true });
}
