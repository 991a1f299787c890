#include "iam/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "iam/policy.h"

void keys_init(struct keys *k)
{
	hash_init(&k->by_id);
}

void keys_free(struct keys *k)
{
	hash_each(key, &k->by_id, struct access_key, by_id)
	{
		hash_del(&k->by_id, &key->by_id);
		key_unref(key);
	}
	hash_free(&k->by_id);
}

struct access_key *key_new(const char *id, const char *secret)
{
	struct access_key *key = xcalloc(1, sizeof(*key));

	snprintf(key->who.key, sizeof(key->who.key), "%s", id);
	snprintf(key->secret, sizeof(key->secret), "%s", secret);
	key->active = true;
	key->refs = 1;
	return key;
}

static int key_add_policy(struct access_key *key, const char *text, struct err *e)
{
	struct policy *p = policy_compile(text, strlen(text), e);

	if (p)
		key->who.policies[key->who.n_policies++] = p;
	return p ? 0 : -1;
}

int key_allow(struct access_key *key, const char *policy, struct err *e)
{
	json_t *list, *each;
	int rc = 0;
	size_t i;

	if (!policy)
		return 0;
	if (strlen(policy) > KEY_POLICY_MAX)
		return err_set(e, ERR_INVALID, "a policy has at most %d bytes", KEY_POLICY_MAX);
	key->policy = xstrdup(policy);
	list = policy[strspn(policy, " \t\r\n")] == '[' ? json_loads(policy, 0, NULL) : NULL;
	if (!list)
		return key_add_policy(key, policy, e);
	if (!json_array_size(list) || json_array_size(list) > PRINCIPAL_POLICIES)
		rc = err_set(e, ERR_INVALID, "a key has 1 to %d policies", PRINCIPAL_POLICIES);
	json_array_foreach(list, i, each)
	{
		autofree char *text = json_dumps(each, JSON_COMPACT | JSON_ENCODE_ANY);

		rc = rc || !text || key_add_policy(key, text, e) ? -1 : 0;
	}
	json_decref(list);
	return rc;
}

struct access_key *key_ref(struct access_key *key)
{
	key->refs++;
	return key;
}

void key_unref(struct access_key *key)
{
	if (!key || --key->refs)
		return;
	if (key->session)
		OPENSSL_cleanse(key->session, strlen(key->session));
	free(key->session);
	for (size_t i = 0; i < key->who.n_policies; i++)
		policy_free(key->who.policies[i]);
	free(key->policy);
	OPENSSL_cleanse(key->secret, sizeof(key->secret));
	free(key);
}

struct access_key *keys_find(const struct keys *k, const char *id)
{
	return hash_find(&k->by_id, id, strlen(id), struct access_key, by_id);
}

void keys_drop(struct keys *k, const char *id)
{
	struct access_key *key = keys_find(k, id);

	if (!key)
		return;
	hash_del(&k->by_id, &key->by_id);
	key_unref(key);
}

void keys_put(struct keys *k, struct access_key *key)
{
	keys_drop(k, key->who.key);
	hash_add(&k->by_id, &key->by_id, key->who.key, strlen(key->who.key));
}

void keys_configure(struct keys *k, const struct creds *creds, const char *account)
{
	hash_each(old, &k->by_id, struct access_key, by_id)
	{
		if (!old->who.root)
			continue;
		hash_del(&k->by_id, &old->by_id);
		key_unref(old);
	}
	for (size_t i = 0; i < creds->n; i++) {
		struct access_key *key = key_new(creds->keys[i].access_key, creds->keys[i].secret);

		key->who.root = true;
		snprintf(key->who.account, sizeof(key->who.account), "%s", account);
		snprintf(key->who.name, sizeof(key->who.name), "%s", creds->keys[i].name);
		snprintf(key->who.arn, sizeof(key->who.arn), "arn:aws:iam::%s:user/%s", account,
			 creds->keys[i].name);
		keys_put(k, key);
	}
}

/* How long the comparison takes tells nothing but the length. */
static bool key_session_is(const struct access_key *key, const char *session)
{
	if (!key->session)
		return !*session;
	return strlen(session) == strlen(key->session) &&
	       !CRYPTO_memcmp(session, key->session, strlen(session));
}

struct access_key *keys_claim(const struct keys *k, const char *id, const char *session,
			      int64_t now_ms, struct err *e)
{
	struct access_key *key = keys_find(k, id);

	if (!key || !key->active || !key_session_is(key, session)) {
		err_set(e, ERR_DENIED,
			"InvalidClientTokenId: The security token included in the request is "
			"invalid.");
		return NULL;
	}
	if (key->expires_ms && key->expires_ms <= now_ms) {
		err_set(e, ERR_DENIED,
			"ExpiredToken: The security token included in the request is expired");
		return NULL;
	}
	return key;
}
