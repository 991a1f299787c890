#include "control/kms/kms.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/kms/master.h"

static char *kms_name(const char *account, const char *alias)
{
	return xasprintf("%s %s", account, alias);
}

void kms_open(struct control *ctl)
{
	ctl->kms = xcalloc(1, sizeof(*ctl->kms));
	hash_init(&ctl->kms->by_id);
	hash_init(&ctl->kms->by_name);
	ctl->kms->master = master_new();
}

static void kms_free_versions(struct kms_key *key)
{
	for (size_t i = 0; i < key->n_versions; i++)
		free(key->versions[i].wrapped);
	free(key->versions);
	key->versions = NULL;
	key->n_versions = 0;
}

void kms_free(struct control *ctl, struct kms_key *key)
{
	hash_del(&ctl->kms->by_id, &key->by_id);
	hash_del(&ctl->kms->by_name, &key->by_name);
	kms_free_versions(key);
	free(key->alias);
	free(key->name);
	free(key);
}

/* Microvms that have ended may still point to it. */
void kms_forget(struct control *ctl, struct kms_key *key)
{
	hash_del(&ctl->kms->by_name, &key->by_name);
	kms_free_versions(key);
	free(key->alias);
	free(key->name);
	key->alias = key->name = NULL;
}

void kms_close(struct control *ctl)
{
	hash_each(key, &ctl->kms->by_id, struct kms_key, by_id) kms_free(ctl, key);
	hash_free(&ctl->kms->by_id);
	hash_free(&ctl->kms->by_name);
	master_free(ctl->kms->master);
	free(ctl->kms);
	ctl->kms = NULL;
}

static void kms_add_version(struct kms_key *key, char *wrapped, int64_t created_ms)
{
	struct kms_version *all = reallocarray(key->versions, key->n_versions + 1, sizeof(*all));

	if (!all)
		abort();
	key->versions = all;
	all[key->n_versions++] = (struct kms_version){ created_ms, wrapped };
}

struct kms_key *kms_by_id(struct control *ctl, const char *id)
{
	struct kms_key *key = hash_find(&ctl->kms->by_id, id, strlen(id), struct kms_key, by_id);

	if (key)
		return key;
	key = xcalloc(1, sizeof(*key));
	snprintf(key->id, sizeof(key->id), "%s", id);
	hash_add(&ctl->kms->by_id, &key->by_id, key->id, strlen(key->id));
	return key;
}

static void kms_set_name(struct kms_key *key, const char *account, const char *alias)
{
	snprintf(key->account, sizeof(key->account), "%s", account);
	key->alias = xstrdup(alias);
	key->name = kms_name(account, alias);
}

void kms_add(struct control *ctl, struct kms_key *key)
{
	hash_add(&ctl->kms->by_id, &key->by_id, key->id, strlen(key->id));
	hash_add(&ctl->kms->by_name, &key->by_name, key->name, strlen(key->name));
}

void kms_load(struct control *ctl, const struct store_kms_key *row)
{
	json_auto_t *wrapped = json_loads(row->wrapped ? row->wrapped : "", 0, NULL);
	json_auto_t *params = json_loads(row->params ? row->params : "", 0, NULL);
	struct kms_key *key = kms_by_id(ctl, row->id);
	const json_t *each;
	size_t i;

	kms_set_name(key, row->account, row->alias ? row->alias : row->id);
	key->enabled = !strcmp(row->state, "ENABLED");
	key->file = json_is_true(json_object_get(params, "file"));
	key->created_ms = row->created_ms;
	json_array_foreach(wrapped, i, each)
	{
		const char *text = json_string_value(json_object_get(each, "wrapped"));

		kms_add_version(key, xstrdup(text ? text : ""),
				json_integer_value(json_object_get(each, "createdMs")));
	}
	hash_add(&ctl->kms->by_name, &key->by_name, key->name, strlen(key->name));
}

void kms_put(struct store_txn *t, const struct kms_key *key)
{
	json_auto_t *versions = json_array();
	autofree char *wrapped = NULL;

	for (size_t i = 0; i < key->n_versions; i++)
		json_array_append_new(versions, json_pack("{s:s,s:I}", "wrapped",
							  key->versions[i].wrapped, "createdMs",
							  (json_int_t)key->versions[i].created_ms));
	wrapped = json_dumps(versions, JSON_COMPACT);
	store_put_kms_key(t, &(struct store_kms_key){
				     .id = key->id,
				     .account = key->account,
				     .alias = key->alias,
				     .wrapped = wrapped,
				     .state = key->enabled ? "ENABLED" : "DISABLED",
				     .created_ms = key->created_ms,
				     .params = key->file ? "{\"file\":true}" : "{}",
			     });
}

/* Versions. */

static struct sealed_place kms_place(const struct kms_key *key)
{
	return (struct sealed_place){ key->account, "kms_key", key->id, "wrapped" };
}

/* The key that wraps versions of @key. */
static int kms_wrapper(const struct control *ctl, const struct kms_key *key, int64_t version,
		       struct sealed_key *to, struct err *e)
{
	memcpy(to->id, key->id, sizeof(to->id));
	to->version = version;
	return master_wrapper(ctl->kms->master, key->file ? key->alias : NULL, to->bytes, e);
}

int kms_unwrap(const struct control *ctl, const struct kms_key *key, int64_t version,
	       struct sealed_key *to, struct err *e)
{
	const struct sealed_place at = kms_place(key);
	autobuf struct buf bytes = { .secret = true };
	struct sealed_key by;
	int rc;

	if (version < 1 || (size_t)version > key->n_versions)
		return err_set(e, ERR_INVALID, "The key %s has no version %lld.",
			       key->alias ? key->alias : key->id, (long long)version);
	rc = kms_wrapper(ctl, key, version, &by, e) ||
	     sealed_open(key->versions[version - 1].wrapped, &by, &at, &bytes, e);
	OPENSSL_cleanse(&by, sizeof(by));
	if (rc || bytes.size != sizeof(to->bytes)) {
		autofree char *why = xstrdup(rc ? e->text : "its size is wrong");

		return err_set(e, ERR_INVALID, "The key %s cannot be used: %s.", key->alias, why);
	}
	memcpy(to->id, key->id, sizeof(to->id));
	to->version = version;
	memcpy(to->bytes, bytes.data, sizeof(to->bytes));
	return 0;
}

int kms_rotate(const struct control *ctl, struct kms_key *key, struct err *e)
{
	const struct sealed_place at = kms_place(key);
	uint8_t bytes[SEALED_KEY_SIZE];
	struct sealed_key by;

	if (kms_wrapper(ctl, key, (int64_t)key->n_versions + 1, &by, e)) {
		e->kind = ERR_CONFLICT;
		return err_wrap(e, "The key %s cannot be used", key->alias);
	}
	rand_bytes(bytes, sizeof(bytes));
	kms_add_version(key, sealed_make(&by, &at, bytes, sizeof(bytes)), clock_wall_ms());
	OPENSSL_cleanse(bytes, sizeof(bytes));
	OPENSSL_cleanse(&by, sizeof(by));
	return 0;
}

struct kms_key *kms_new(const struct control *ctl, const char *account, const char *alias,
			bool file, struct err *e)
{
	struct kms_key *key = xcalloc(1, sizeof(*key));

	rand_uuid(key->id);
	kms_set_name(key, account, alias);
	key->enabled = true;
	key->file = file;
	key->created_ms = clock_wall_ms();
	if (!kms_rotate(ctl, key, e))
		return key;
	free(key->alias);
	free(key->name);
	free(key);
	return NULL;
}

struct kms_key *kms_copy(const struct kms_key *key)
{
	struct kms_key *copy = xcalloc(1, sizeof(*copy));

	memcpy(copy->id, key->id, sizeof(copy->id));
	kms_set_name(copy, key->account, key->alias);
	copy->enabled = key->enabled;
	copy->file = key->file;
	copy->created_ms = key->created_ms;
	for (size_t i = 0; i < key->n_versions; i++)
		kms_add_version(copy, xstrdup(key->versions[i].wrapped),
				key->versions[i].created_ms);
	return copy;
}

void kms_become(struct kms_key *key, struct kms_key *row)
{
	kms_free_versions(key);
	key->versions = row->versions;
	key->n_versions = row->n_versions;
	key->enabled = row->enabled;
	free(row->alias);
	free(row->name);
	free(row);
}

/* Use. */

static int kms_enabled(const struct kms_key *key, struct err *e)
{
	if (!key->alias)
		return err_set(e, ERR_INVALID, "The key %s is gone from this server.", key->id);
	if (!key->enabled)
		return err_set(e, ERR_INVALID,
			       "The key %s is disabled: 'doze kms enable %s' enables it.",
			       key->alias, key->alias);
	return 0;
}

int kms_usable(const struct control *ctl, const struct kms_key *key, struct err *e)
{
	struct sealed_key unwrapped;
	int rc;

	if (!key)
		return 0;
	if (kms_enabled(key, e))
		return -1;
	rc = kms_unwrap(ctl, key, (int64_t)key->n_versions, &unwrapped, e);
	OPENSSL_cleanse(&unwrapped, sizeof(unwrapped));
	return rc;
}

char *kms_seal(const struct control *ctl, const struct kms_key *key, const struct sealed_place *at,
	       const void *data, size_t size, struct err *e)
{
	struct sealed_key unwrapped;
	char *text = NULL;

	if (!kms_enabled(key, e) && !kms_unwrap(ctl, key, (int64_t)key->n_versions, &unwrapped, e))
		text = sealed_make(&unwrapped, at, data, size);
	OPENSSL_cleanse(&unwrapped, sizeof(unwrapped));
	return text;
}

int kms_unseal(const struct control *ctl, const char *text, const struct sealed_place *at,
	       struct buf *to, struct err *e)
{
	const struct kms_key *key;
	struct sealed_key named;
	int rc;

	if (sealed_read_key(text, &named, e))
		return -1;
	key = hash_find(&ctl->kms->by_id, named.id, strlen(named.id), struct kms_key, by_id);
	if (!key)
		return err_set(e, ERR_INVALID, "The key %s is gone from this server.", named.id);
	rc = kms_enabled(key, e) || kms_unwrap(ctl, key, named.version, &named, e) ||
	     sealed_open(text, &named, at, to, e);
	OPENSSL_cleanse(&named, sizeof(named));
	return rc ? -1 : 0;
}

void kms_code(const struct control *ctl, const char *text, char hex[65])
{
	master_code(ctl->kms->master, text, hex);
}
