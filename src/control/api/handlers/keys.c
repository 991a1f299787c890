/* keys.c - /doze/v1/keys: access keys, their rotation, and what decides about them. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/steady.h"
#include "control/api/authorize.h"
#include "control/api/encode.h"
#include "control/api/facts.h"
#include "control/api/handlers/handlers.h"
#include "control/api/issue.h"
#include "control/api/resolve.h"
#include "control/channels/grants.h"
#include "control/model/access_key.h"

#define KEY_OVERLAP_S 86400

/* What a short-lived key may make must not outlive it. */
static bool key_may_change(struct call *c)
{
	if (!c->key->session)
		return true;
	call_fail_as(c, 403, "AccessDeniedException",
		     "A session cannot change access keys: use the key that it was made with.");
	return false;
}

static int64_t key_end(const struct call *c, int64_t wanted_ms)
{
	int64_t own_ms = c->key->expires_ms;

	return own_ms && (!wanted_ms || wanted_ms > own_ms) ? own_ms : wanted_ms;
}

/* NULL: there is none, or it is being changed; the call has failed. */
static struct access_key *key_named(struct call *c)
{
	const char *given = call_text(c, "key");
	const struct account *account = call_account(c);
	struct access_key *found = account ? access_key_named(c->ctl, account->id, given) : NULL;

	if (account && !found)
		call_not_found(c, "There is no key %s.", given);
	if (!found || !found->changing)
		return found;
	call_fail_as(c, 409, "ConflictException", "The key is being changed. Try again.");
	return NULL;
}

static bool key_is_own(struct call *c, const struct access_key *key)
{
	if (!key->who.root || key->session)
		return true;
	call_fail_as(c, 409, "ConflictException",
		     "This key pair is of the server's credentials file, where it can be changed.");
	return false;
}

/* The secret is written here alone, and into memory that is wiped.  A name has no character that
 * JSON would have to escape. */
static void key_answer(struct call *c, const struct access_key *key)
{
	static const struct http_header type = { "content-type", "application/json" };
	int64_t created_ms = steady_shown(key->created_ms);
	int64_t expires_ms = steady_shown(key->expires_ms);
	autobuf struct buf text = { .secret = true };

	buf_addf(&text,
		 "{\"accessKeyId\":\"%s\",\"secretAccessKey\":\"%s\",\"name\":\"%s\","
		 "\"account\":\"%s\",\"arn\":\"%s\",\"createdAt\":%lld.%03d",
		 key->who.key, key->secret, key->who.name, key->who.account, key->who.arn,
		 (long long)(created_ms / 1000), (int)(created_ms % 1000));
	if (key->expires_ms)
		buf_addf(&text, ",\"expiresAt\":%lld.%03d}", (long long)(expires_ms / 1000),
			 (int)(expires_ms % 1000));
	else
		buf_adds(&text, ",\"expiresAt\":null}");
	c->made = json_pack("{s:s,s:s}", "accessKeyId", key->who.key, "name", key->who.name);
	call_answer_bytes(c, c->op->status, &type, 1, text.data, text.size);
}

void key_create(struct call *c)
{
	const struct account *in = call_account(c);
	const char *account = in ? in->id : NULL, *name = call_text(c, "name");
	const char *policy = call_text(c, "policy");
	int64_t seconds = call_number(c, "expiresInSeconds", 0);
	struct access_key *key;
	struct err e;

	if (!account || !key_may_change(c))
		return;
	if (!issue_has_room(c->ctl, account, NULL)) {
		call_fail_as(c, 402, "ServiceQuotaExceededException",
			     "The account has all the access keys that it may have.");
		return;
	}
	/* Lists of policies are for sessions. */
	if (policy && policy[strspn(policy, " \t\r\n")] == '[') {
		call_invalid(c, "The policy is not valid: line 1: a policy is an object");
		return;
	}
	key = issue_new(c->ctl, account, false);
	snprintf(key->who.name, sizeof(key->who.name), "%s", name);
	snprintf(key->who.arn, sizeof(key->who.arn), "arn:aws:iam::%s:user/%s", account, name);
	key->expires_ms = key_end(c, seconds ? key->created_ms + 1000 * seconds : 0);
	if (key_allow(key, policy, &e)) {
		call_invalid(c, "The policy is not valid: %s", e.text);
		key_unref(key);
		return;
	}
	issue_key(c, key, NULL, key_answer, NULL);
}

static const char *key_state(const struct access_key *key)
{
	if (key->expires_ms && key->expires_ms <= steady_ms())
		return "EXPIRED";
	return key->active ? "ACTIVE" : "INACTIVE";
}

static json_t *key_encode(const struct access_key *key)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:b,s:b,s:s?,s:o,s:o}", "accessKeyId", key->who.key,
			 "name", key->who.name, "account", key->who.account, "arn", key->who.arn,
			 "state", key_state(key), "configured",
			 (int)(key->who.root && !key->session), "session", key->session != NULL,
			 "policy", key->policy, "createdAt",
			 encode_time(steady_shown(key->created_ms)), "expiresAt",
			 encode_time(key->expires_ms ? steady_shown(key->expires_ms) : 0));
}

static int key_compare(const void *one, const void *two)
{
	const struct access_key *const *a = one, *const *b = two;

	if ((*a)->created_ms != (*b)->created_ms)
		return (*a)->created_ms < (*b)->created_ms ? -1 : 1;
	return strcmp((*a)->who.key, (*b)->who.key);
}

void key_list(struct call *c)
{
	const struct account *account = call_account(c);
	const char *sessions = call_text(c, "sessions");
	autofree struct access_key **keys = NULL;
	json_t *items;
	size_t n = 0;

	if (!account)
		return;
	keys = xmalloc((c->ctl->keys.by_id.n + 1) * sizeof(struct access_key *));
	hash_each(key, &c->ctl->keys.by_id, struct access_key, by_id)
	{
		if (!strcmp(key->who.account, account->id) &&
		    (!key->session || (sessions && !strcmp(sessions, "true"))))
			keys[n++] = key;
	}
	qsort(keys, n, sizeof(struct access_key *), key_compare);
	items = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(items, key_encode(keys[i]));
	call_answer(c, json_pack("{s:o}", "items", items));
}

/* The old key goes on for a while, so that whoever has it can be given the new one. */
struct rotating {
	struct access_key *old;    /* as it is known; referred to */
	struct access_key *ending; /* as it will be */
};

/* A request holds the key that it came with as it is, so the row becomes a new one. */
static void key_rotated(struct call *c, const struct access_key *key)
{
	struct rotating *r = c->state;

	r->old->changing = false;
	key_unref(r->old);
	keys_put(&c->ctl->keys, r->ending);
	grants_put(c->ctl, r->ending);
	free(r);
	c->state = NULL;
	key_answer(c, key);
}

static void key_not_rotated(struct call *c)
{
	struct rotating *r = c->state;

	r->old->changing = false;
	key_unref(r->old);
	key_unref(r->ending);
	free(r);
	c->state = NULL;
}

static struct access_key *key_copy(struct access_key *to, const struct access_key *from)
{
	struct err e;

	memcpy(to->who.name, from->who.name, sizeof(to->who.name));
	memcpy(to->who.arn, from->who.arn, sizeof(to->who.arn));
	memcpy(to->who.account, from->who.account, sizeof(to->who.account));
	if (key_allow(to, from->policy, &e))
		to->active = false;
	return to;
}

void key_rotate(struct call *c)
{
	int64_t overlap_s = call_number(c, "overlapSeconds", KEY_OVERLAP_S);
	struct access_key *old = key_may_change(c) ? key_named(c) : NULL, *next, *ending;
	struct rotating *rotating;
	struct store_txn *t;

	if (!old || !key_is_own(c, old))
		return;
	if (old->session) {
		call_not_found(c, "There is no key %s.", call_text(c, "key"));
		return;
	}
	next = key_copy(issue_new(c->ctl, old->who.account, false), old);
	if (old->expires_ms)
		next->expires_ms = next->created_ms + (old->expires_ms - old->created_ms);
	next->expires_ms = key_end(c, next->expires_ms);
	ending = key_copy(key_new(old->who.key, old->secret), old);
	ending->active = ending->active && old->active;
	ending->created_ms = old->created_ms;
	ending->expires_ms = next->created_ms + 1000 * overlap_s;
	if (old->expires_ms && old->expires_ms < ending->expires_ms)
		ending->expires_ms = old->expires_ms;
	t = store_begin(c->ctl->store);
	access_key_put(t, ending);
	rotating = xcalloc(1, sizeof(*rotating));
	*rotating = (struct rotating){ key_ref(old), ending };
	old->changing = true;
	c->state = rotating;
	issue_key(c, next, t, key_rotated, key_not_rotated);
}

/* A user ends with the last key of its name, and its sessions with it. */
struct key_ending {
	const struct access_key *key;
	bool last;
};

static bool key_ends(const struct access_key *key, const void *arg)
{
	const struct key_ending *ending = arg;

	return key == ending->key ||
	       (ending->last && key->session && !strcmp(key->who.arn, ending->key->who.arn));
}

void key_delete(struct call *c)
{
	struct access_key *key = key_may_change(c) ? key_named(c) : NULL;
	struct key_ending ending = { key, key && !key->session };

	if (!key || !key_is_own(c, key))
		return;
	hash_each(other, &c->ctl->keys.by_id, struct access_key, by_id)
	{
		if (other != key && !other->session && !strcmp(other->who.arn, key->who.arn))
			ending.last = false;
	}
	c->made = json_object();
	issue_revoke(c, store_begin(c->ctl->store), key_ends, &ending);
}

void key_explain(struct call *c)
{
	static const char *const verdicts[] = {
		[POLICY_NOTHING] = "implicitDeny",
		[POLICY_ALLOWS] = "allowed",
		[POLICY_DENIES] = "explicitDeny",
	};
	struct access_key *key = key_named(c);
	const struct facts facts = { .key = key, .given = json_object_get(c->in, "context") };
	const char *resource = call_text(c, "resource");
	const struct iam_query q = { call_text(c, "action"), resource ? resource : "*",
				     facts_lookup, &facts };
	autofree char *text = NULL;
	struct policy_decision d;

	if (!key)
		return;
	d = authorize_words(&key->who, &q, &text);
	call_answer(c, json_pack("{s:s,s:s,s:s,s:s,s:o,s:s?,s:s?}", "accessKeyId", key->who.key,
				 "action", q.action, "resource", q.resource, "decision",
				 verdicts[d.verdict], "statement",
				 d.statement ? json_integer((json_int_t)d.statement) : json_null(),
				 "sid", d.sid, "message", text));
}
