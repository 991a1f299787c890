/* accounts.c - /doze/v1/accounts: who shares this server, each apart from the others. */

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/rand.h"
#include "control/api/encode.h"
#include "control/api/handlers/handlers.h"
#include "control/api/issue.h"
#include "control/channels/grants.h"
#include "control/connectors/connectors.h"
#include "control/images/images.h"
#include "control/kms/kms.h"

static json_t *account_encode(const struct control *ctl, const struct account *a)
{
	bool configured = !strcmp(a->id, ctl->conf->account);

	return json_pack("{s:s,s:s,s:b,s:o,s:I}", "account", a->id, "name", a->name ? a->name : "",
			 "configured", (int)configured, "createdAt", encode_time(a->created_ms),
			 "images", (json_int_t)a->n_images);
}

/* Twelve digits that nobody has. */
static void account_draw(const struct control *ctl, char id[ACCOUNT_SIZE])
{
	uint64_t number;

	do {
		rand_bytes(&number, sizeof(number));
		snprintf(id, ACCOUNT_SIZE, "%012llu",
			 (unsigned long long)(number % UINT64_C(1000000000000)));
	} while (account_find(ctl, id));
}

static void account_created(void *arg, int rc, const struct err *e)
{
	struct call *c = arg;
	const char *id = json_string_value(json_object_get(c->made, "account"));

	if (rc)
		account_name(account_of(c->ctl, id), NULL, 0);
	call_done(c, rc, e);
}

void doze_create_account(struct call *c)
{
	const char *given = call_text(c, "account");
	char id[ACCOUNT_SIZE];
	struct store_txn *t;
	struct account *a;

	if (given)
		snprintf(id, sizeof(id), "%s", given);
	else
		account_draw(c->ctl, id);
	a = account_of(c->ctl, id);
	if (account_is_open(c->ctl, a)) {
		autofree char *text = xasprintf("There is an account %s already.", id);

		call_fail_as(c, 409, "ConflictException", text);
		return;
	}
	account_name(a, call_text(c, "name"), clock_wall_ms());
	c->made = account_encode(c->ctl, a);
	t = store_begin(c->ctl->store);
	account_put(t, a);
	store_commit(t, account_created, c);
}

void doze_list_accounts(struct call *c)
{
	json_t *items = json_array();

	account_of(c->ctl, c->ctl->conf->account); /* it may have nothing yet */
	hash_each(a, &c->ctl->accounts, struct account, by_id)
	{
		size_t at = 0;

		if (!account_is_open(c->ctl, a))
			continue;
		while (at < json_array_size(items) &&
		       strcmp(json_string_value(
				      json_object_get(json_array_get(items, at), "account")),
			      a->id) < 0)
			at++;
		json_array_insert_new(items, at, account_encode(c->ctl, a));
	}
	call_answer(c, json_pack("{s:o}", "items", items));
}

static bool account_is_busy(const struct control *ctl, const struct account *a)
{
	return a->running || images_count(ctl, a->id) || connectors_count(ctl, a->id);
}

static bool account_keys_change(const struct control *ctl, const struct account *a)
{
	hash_each(key, &ctl->keys.by_id, struct access_key, by_id)
	{
		if (key->changing && !strcmp(key->who.account, a->id))
			return true;
	}
	return false;
}

static bool account_has_key(const struct access_key *key, const void *arg)
{
	return !strcmp(key->who.account, arg);
}

static void account_deleted(struct call *c, const struct call_end *end)
{
	struct account *a = account_of(c->ctl, call_text(c, "account"));

	a->changing = false;
	if (end->type)
		return;
	account_name(a, NULL, 0);
	json_decref(a->params);
	a->params = NULL;
}

/* What stands against it; NULL: nothing that control knows. */
static const char *account_stays(const struct control *ctl, const struct account *a)
{
	if (!strcmp(a->id, ctl->conf->account))
		return "This is the account of the configuration.";
	if (account_is_busy(ctl, a))
		return "The account still has images, microVMs or network connectors: delete them "
		       "first.";
	if (kms_count(ctl, a->id))
		return "The account still has keys of 'doze kms': remove them first.";
	if (account_keys_change(ctl, a))
		return "The account, or a key of it, is being changed. Try again.";
	return NULL;
}

static void account_counted(void *arg, int rc, uint64_t buckets, const struct err *e)
{
	struct call *c = arg;
	const struct account *a = account_of(c->ctl, call_text(c, "account"));
	const char *stays = account_stays(c->ctl, a); /* something may have come meanwhile */
	struct store_txn *t;

	if (!stays && buckets)
		stays = "The account still has buckets: delete them first.";
	if (rc) {
		call_fail(c, e);
	} else if (stays) {
		call_fail_as(c, 409, "ConflictException", stays);
	} else {
		c->made = json_object();
		t = store_begin(c->ctl->store);
		store_del_account(t, a->id);
		issue_revoke(c, t, account_has_key, a->id);
	}
}

void doze_delete_account(struct call *c)
{
	const char *id = call_text(c, "account");
	struct account *a = account_find(c->ctl, id);
	const char *stays = a ? account_stays(c->ctl, a) : NULL;

	if (!a || !account_is_open(c->ctl, a)) {
		call_not_found(c, "There is no account %s.", id);
	} else if (stays || a->changing) {
		call_fail_as(c, 409, "ConflictException",
			     stays ? stays : "The account is being changed. Try again.");
	} else {
		a->changing = true;
		c->ended = account_deleted;
		grants_count(c->ctl, id, account_counted, c);
	}
}
