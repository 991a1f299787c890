#include "control/api/issue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/rand.h"
#include "base/steady.h"
#include "control/channels/grants.h"
#include "control/model/access_key.h"

#define ISSUE_ID_SIZE 16 /* letters of an id behind AKIA or ASIA */
#define ISSUE_SECRET  30 /* random bytes, of which base64 makes 40 letters */
#define ISSUE_TOKEN   96
/* Whoever comes with one that expired hears so; then it is forgotten. */
#define ISSUE_KEPT_MS         (24 * 3600 * INT64_C(1000))
#define ISSUE_KEPT_SESSION_MS (3600 * INT64_C(1000))

static void issue_id(struct control *ctl, bool session, char id[21])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint8_t bytes[ISSUE_ID_SIZE];

	do {
		rand_bytes(bytes, sizeof(bytes));
		memcpy(id, session ? "ASIA" : "AKIA", 4);
		for (size_t i = 0; i < ISSUE_ID_SIZE; i++)
			id[4 + i] = letters[bytes[i] % 32];
		id[4 + ISSUE_ID_SIZE] = '\0';
	} while (keys_find(&ctl->keys, id));
}

struct access_key *issue_new(struct control *ctl, const char *account, bool session)
{
	uint8_t secret[ISSUE_SECRET], token[ISSUE_TOKEN];
	unsigned char text[4 * ISSUE_SECRET / 3 + 4];
	struct access_key *key;
	char id[21];

	issue_id(ctl, session, id);
	rand_bytes(secret, sizeof(secret));
	EVP_EncodeBlock(text, secret, sizeof(secret));
	key = key_new(id, (const char *)text);
	OPENSSL_cleanse(secret, sizeof(secret));
	OPENSSL_cleanse(text, sizeof(text));
	snprintf(key->who.account, sizeof(key->who.account), "%s", account);
	key->created_ms = steady_ms();
	if (session) {
		rand_bytes(token, sizeof(token));
		key->session = xmalloc(4 * ISSUE_TOKEN / 3 + 4);
		EVP_EncodeBlock((unsigned char *)key->session, token, sizeof(token));
		OPENSSL_cleanse(token, sizeof(token));
	}
	return key;
}

struct issue {
	struct call *call;
	struct access_key *key;
	issue_answer *answer;
	issue_undo *undo;
};

static void issue_done(void *arg, int rc, const struct err *e)
{
	struct issue *i = arg;
	struct control *ctl = i->call->ctl;
	bool revoked = !i->call->key->active;
	struct store_txn *t;

	if ((rc || revoked) && i->undo)
		i->undo(i->call);
	if (rc) {
		key_unref(i->key);
		call_fail(i->call, e);
	} else if (revoked) {
		t = store_begin(ctl->store);
		store_del_access_key(t, i->key->who.key);
		store_commit(t, NULL, NULL);
		key_unref(i->key);
		call_fail_as(i->call, 403, "UnrecognizedClientException",
			     "The security token included in the request is invalid.");
	} else {
		keys_put(&ctl->keys, key_ref(i->key));
		grants_put(ctl, i->key);
		i->answer(i->call, i->key);
		key_unref(i->key);
	}
	free(i);
}

void issue_key(struct call *c, struct access_key *key, struct store_txn *t, issue_answer *answer,
	       issue_undo *undo)
{
	struct issue *i = xcalloc(1, sizeof(*i));

	*i = (struct issue){ c, key, answer, undo };
	if (!t)
		t = store_begin(c->ctl->store);
	access_key_put(t, key);
	store_commit(t, issue_done, i);
}

struct revoking {
	struct call *call;
	struct revoked {
		struct access_key *key; /* referred to */
		bool active;            /* it was */
	} * keys;
	size_t n;
};

static void issue_revoked(void *arg, int rc, const struct err *e)
{
	struct revoking *r = arg;
	struct control *ctl = r->call->ctl;

	for (size_t i = 0; i < r->n; i++) {
		struct access_key *key = r->keys[i].key;

		key->changing = false;
		if (rc) {
			key->active = r->keys[i].active;
		} else {
			keys_drop(&ctl->keys, key->who.key);
			grants_drop(ctl, key->who.key);
		}
		key_unref(key);
	}
	call_done(r->call, rc, e);
	free(r->keys);
	free(r);
}

void issue_revoke(struct call *c, struct store_txn *t, issue_which *which, const void *arg)
{
	struct revoking *r = xcalloc(1, sizeof(*r));

	r->call = c;
	hash_each(key, &c->ctl->keys.by_id, struct access_key, by_id)
	{
		if ((key->who.root && !key->session) || !which(key, arg))
			continue;
		r->keys = xrealloc(r->keys, (r->n + 1) * sizeof(*r->keys));
		r->keys[r->n++] = (struct revoked){ key_ref(key), key->active };
		key->active = false;
		key->changing = true;
		store_del_access_key(t, key->who.key);
	}
	store_commit(t, issue_revoked, r);
}

/* Sessions of a role have its name, and then their own. */
static bool issue_is_of(const struct access_key *key, const char *arn)
{
	size_t size = strlen(arn);

	return !strncmp(key->who.arn, arn, size) &&
	       (!key->who.arn[size] || key->who.arn[size] == '/');
}

void issue_forget(struct control *ctl)
{
	int64_t now_ms = steady_ms();
	struct store_txn *t = NULL;

	hash_each(key, &ctl->keys.by_id, struct access_key, by_id)
	{
		if (!key->expires_ms || key->changing ||
		    key->expires_ms + (key->session ? ISSUE_KEPT_SESSION_MS : ISSUE_KEPT_MS) >
			    now_ms)
			continue;
		t = t ? t : store_begin(ctl->store);
		store_del_access_key(t, key->who.key);
		grants_drop(ctl, key->who.key);
		keys_drop(&ctl->keys, key->who.key);
	}
	if (t)
		store_commit(t, NULL, NULL);
}

bool issue_has_room(struct control *ctl, const char *account, const char *arn)
{
	int64_t now_ms = steady_ms();
	unsigned n = 0, of_this = 0;

	issue_forget(ctl);
	hash_each(key, &ctl->keys.by_id, struct access_key, by_id)
	{
		if (!key->session != !arn || strcmp(key->who.account, account) != 0 ||
		    (key->expires_ms && key->expires_ms <= now_ms))
			continue;
		n++;
		of_this += arn && issue_is_of(key, arn);
	}
	return n < ISSUE_MOST && of_this < ISSUE_MOST_EACH;
}
