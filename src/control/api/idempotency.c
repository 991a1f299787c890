/* idempotency.c - a retried request with the same clientToken gets the first one's answer.
 *
 * The token is durable in the transaction of what it made.  Kept for
 * conf.token_keep_ms; unlike the service, a token whose image is gone is
 * forgotten, so that creating it anew with the same script works. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/api/call.h"

struct replay {
	struct list in_api;
	char *op, *token;
	char hash[65];
	json_t *answer; /* NULL: the first call is still under way */
	int64_t created_ms;
	struct list waiting; /* calls with the same token meanwhile */
};

static void replay_free(struct replay *r)
{
	list_del(&r->in_api);
	json_decref(r->answer);
	free(r->op);
	free(r->token);
	free(r);
}

static struct replay *replay_new(struct control *ctl, const char *op, const char *token,
				 const char *hash, int64_t created_ms)
{
	struct replay *r = xcalloc(1, sizeof(*r));

	r->op = xstrdup(op);
	r->token = xstrdup(token);
	memcpy(r->hash, hash, strnlen(hash, sizeof(r->hash) - 1));
	r->created_ms = created_ms;
	list_init(&r->waiting);
	list_add(&ctl->api->replays, &r->in_api);
	return r;
}

static bool replay_old(const struct control *ctl, const struct replay *r)
{
	return r->answer && r->created_ms < clock_wall_ms() - ctl->conf->token_keep_ms;
}

/* They stand in the order in which they came: one goes for each that comes. */
static void replay_expire(struct control *ctl)
{
	struct replay *r = list_first(&ctl->api->replays, struct replay, in_api);

	if (r && replay_old(ctl, r))
		replay_free(r);
}

static struct replay *replay_find(struct control *ctl, const char *op, const char *token)
{
	list_each(r, &ctl->api->replays, struct replay, in_api)
	{
		if (!strcmp(r->op, op) && !strcmp(r->token, token))
			return r;
	}
	return NULL;
}

/* All members but the token itself, in one order. */
static void replay_hash(const struct call *c, char hash[65])
{
	json_t *rest = json_copy(c->in);
	autofree char *text = NULL;

	json_object_del(rest, "clientToken");
	text = json_dumps(rest, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(rest);
	sha256_hex(text, text ? strlen(text) : 0, hash);
}

bool replay_begin(struct call *c, bool (*alive)(struct control *ctl, const json_t *answer))
{
	const char *token = call_text(c, "clientToken");
	struct replay *r;
	char hash[65];

	if (!token)
		return false;
	replay_hash(c, hash);
	r = replay_find(c->ctl, c->op->name, token);
	if (r && r->answer && (replay_old(c->ctl, r) || (alive && !alive(c->ctl, r->answer)))) {
		replay_free(r);
		r = NULL;
	}
	if (!r) {
		c->replay = replay_new(c->ctl, c->op->name, token, hash, clock_wall_ms());
		return false;
	}
	if (strcmp(r->hash, hash) != 0)
		call_fail_as(c, 409, "ConflictException",
			     "The clientToken was used before with other parameters.");
	else if (r->answer)
		call_answer(c, json_incref(r->answer));
	else
		list_add(&r->waiting, &c->waits);
	return true;
}

struct store_txn *replay_txn(struct call *c)
{
	struct store_txn *t;
	autofree char *answer = NULL;

	if (!c->replay)
		return NULL;
	t = store_begin(c->ctl->store);
	answer = json_dumps(c->made, JSON_COMPACT | JSON_REAL_PRECISION(13));
	store_del_tokens_before(t, clock_wall_ms() - c->ctl->conf->token_keep_ms);
	store_put_token(t, &(struct store_token){
				   .op = c->replay->op,
				   .token = c->replay->token,
				   .params_hash = c->replay->hash,
				   .answer = answer,
				   .created_ms = c->replay->created_ms,
			   });
	replay_expire(c->ctl);
	return t;
}

/* The first call is through: those that wait get the same, and a failure leaves no trace. */
void replay_end(struct call *c, unsigned status, const char *type, const char *text)
{
	struct replay *r = c->replay;

	c->replay = NULL;
	if (!type)
		r->answer = json_incref(c->made);
	list_each(waiter, &r->waiting, struct call, waits)
	{
		list_del(&waiter->waits);
		if (type)
			call_fail_as(waiter, status, type, text);
		else
			call_answer(waiter, json_incref(r->answer));
	}
	if (type)
		replay_free(r);
}

void replay_load(struct control *ctl, const struct store_token *row)
{
	json_t *answer = row->answer ? json_loads(row->answer, 0, NULL) : NULL;

	if (answer)
		replay_new(ctl, row->op, row->token, row->params_hash, row->created_ms)->answer =
			answer;
}
