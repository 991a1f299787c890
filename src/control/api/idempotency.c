/* idempotency.c - see idempotency.h. */

#include "control/api/idempotency.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/steady.h"
#include "control/api/sealed_answer.h"
#include "control/kms/kms.h"

struct replay {
	struct list in_order;
	struct hash_node by_key;
	char *key;         /* "<account> <operation> <token>" */
	const char *token; /* in the key */
	char hash[65];
	json_t *answer; /* NULL while the first call is under way */
	int64_t created_ms;
	bool written;        /* its row is on its way to the store */
	struct list waiting; /* calls with the same token that came meanwhile */
};

struct replays {
	struct list in_order; /* the oldest first */
	struct hash by_key;
};

struct replays *replays_new(void)
{
	struct replays *all = xcalloc(1, sizeof(*all));

	list_init(&all->in_order);
	hash_init(&all->by_key);
	return all;
}

static void replay_free(struct replays *all, struct replay *r)
{
	list_del(&r->in_order);
	hash_del(&all->by_key, &r->by_key);
	json_decref(r->answer);
	free(r->key);
	free(r);
}

void replays_free(struct replays *all)
{
	list_each(r, &all->in_order, struct replay, in_order) replay_free(all, r);
	hash_free(&all->by_key);
	free(all);
}

/* Each account has tokens of its own. */
static char *replay_key(const char *account, const char *op, const char *token)
{
	return xasprintf("%s %s %s", account, op, token);
}

static struct replay *replay_find(struct replays *all, const struct call *c, const char *token)
{
	autofree char *key = replay_key(c->who->account, c->op->name, token);

	return hash_find(&all->by_key, key, strlen(key), struct replay, by_key);
}

/* @key is taken over. */
static struct replay *replay_new(struct replays *all, char *key, const char *token,
				 const char *hash, int64_t created_ms)
{
	struct replay *r = xcalloc(1, sizeof(*r));

	r->key = key;
	r->token = key + strlen(key) - strlen(token);
	memcpy(r->hash, hash, strnlen(hash, sizeof(r->hash) - 1));
	r->created_ms = created_ms;
	list_init(&r->waiting);
	list_add(&all->in_order, &r->in_order);
	hash_add(&all->by_key, &r->by_key, r->key, strlen(r->key));
	return r;
}

static bool replay_old(const struct control *ctl, const struct replay *r)
{
	return r->answer && r->created_ms < steady_ms() - ctl->conf->token_keep_ms;
}

/* Each token that comes drops one that is old, so that no request pays for many. */
static void replay_expire(struct control *ctl)
{
	struct replays *all = ctl->api->replays;
	struct replay *r = list_first(&all->in_order, struct replay, in_order);

	if (r && replay_old(ctl, r))
		replay_free(all, r);
}

/* Each family names its token in its own way. */
static const char *const token_names[] = { "clientToken", "ClientToken" };

static const char *replay_token(const struct call *c)
{
	const char *token = NULL;

	for (size_t i = 0; !token && i < ARRAY_SIZE(token_names); i++)
		token = call_text(c, token_names[i]);
	return token;
}

/* The hash covers every member except the token, in a fixed order. */
static void replay_hash(const struct call *c, char hash[65])
{
	json_t *rest = json_copy(c->in);
	autofree char *text = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(token_names); i++)
		json_object_del(rest, token_names[i]);
	text = json_dumps(rest, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(rest);
	/* A plain hash would let whoever has the rows try out what a secret may be. */
	if (call_text(c, "kmsKeyIdentifier"))
		kms_code(c->ctl, text ? text : "", hash);
	else
		sha256_hex(text, text ? strlen(text) : 0, hash);
}

/* The first call has ended.  The calls that wait get the same answer, and a failure leaves no
 * trace. */
static void replay_end(struct call *c, const struct call_end *end)
{
	struct replay *r = c->replay;

	c->ended = NULL;
	c->replay = NULL;
	list_each(waiter, &r->waiting, struct call, waits)
	{
		list_del(&waiter->waits);
		if (end->type)
			call_fail_as(waiter, end->status, end->type, end->text);
		else
			call_answer(waiter, json_deep_copy(end->answer));
	}
	if (!end->type && r->written)
		r->answer = json_deep_copy(end->answer);
	else
		replay_free(c->ctl->api->replays, r);
}

bool replay_begin(struct call *c, bool (*alive)(struct control *ctl, const json_t *answer))
{
	const char *token = replay_token(c);
	struct replays *all = c->ctl->api->replays;
	struct replay *r;
	struct err e;
	char hash[65];

	if (!token)
		return false;
	replay_hash(c, hash);
	r = replay_find(all, c, token);
	if (r && r->answer && (replay_old(c->ctl, r) || (alive && !alive(c->ctl, r->answer)))) {
		replay_free(all, r);
		r = NULL;
	}
	if (!r) {
		c->replay = replay_new(all, replay_key(c->who->account, c->op->name, token), token,
				       hash, steady_ms());
		c->ended = replay_end;
		return false;
	}
	if (strcmp(r->hash, hash) != 0) {
		err_set(&e, ERR_CONFLICT, "The clientToken was used before with other parameters.");
		call_fail(c, &e);
	} else if (r->answer) {
		call_answer(c, sealed_answer_open(c, token, r->answer));
	} else {
		list_add(&r->waiting, &c->waits);
	}
	return true;
}

struct store_txn *replay_txn(struct call *c)
{
	struct store_txn *t;
	autofree char *answer = NULL;
	json_auto_t *made = NULL;

	if (!c->replay)
		return NULL;
	replay_expire(c->ctl);
	t = store_begin(c->ctl->store);
	made = sealed_answer_make(c, c->replay->token);
	answer = json_dumps(made, JSON_COMPACT | JSON_REAL_PRECISION(13));
	store_del_tokens_before(t, steady_ms() - c->ctl->conf->token_keep_ms);
	store_put_token(t, &(struct store_token){
				   .account = c->who->account,
				   .op = c->op->name,
				   .token = c->replay->token,
				   .params_hash = c->replay->hash,
				   .answer = answer,
				   .created_ms = c->replay->created_ms,
			   });
	c->replay->written = true;
	return t;
}

void replay_load(struct control *ctl, const struct store_token *row)
{
	json_t *answer = row->answer ? json_loads(row->answer, 0, NULL) : NULL;

	if (answer)
		replay_new(ctl->api->replays, replay_key(row->account, row->op, row->token),
			   row->token, row->params_hash, row->created_ms)
			->answer = answer;
}
