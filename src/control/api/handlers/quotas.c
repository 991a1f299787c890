/* quotas.c - /doze/v1/quotas: what an account may have, and how much of it it has. */

#include <string.h>

#include "control/api/handlers/handlers.h"
#include "control/api/resolve.h"
#include "control/connectors/connectors.h"
#include "control/images/builds.h"
#include "control/images/images.h"
#include "control/model/quotas.h"

static int64_t used_memory(const struct control *ctl, const struct account *a)
{
	(void)ctl;
	return a->running_mib;
}

static int64_t used_microvms(const struct control *ctl, const struct account *a)
{
	(void)ctl;
	return a->running;
}

static int64_t used_images(const struct control *ctl, const struct account *a)
{
	return (int64_t)images_count(ctl, a->id);
}

static int64_t used_builds(const struct control *ctl, const struct account *a)
{
	return (int64_t)builds_count(ctl, a->id);
}

static int64_t used_connectors(const struct control *ctl, const struct account *a)
{
	return (int64_t)connectors_count(ctl, a->id);
}

/* What the account has of it.  NULL: it is not of the whole account, but of one image, of one
 * connector or of a second. */
static int64_t (*const quota_used[QUOTA_NUM])(const struct control *ctl,
					      const struct account *a) = {
	[QUOTA_MEMORY] = used_memory,         [QUOTA_MICROVMS] = used_microvms,
	[QUOTA_IMAGES] = used_images,         [QUOTA_BUILDS] = used_builds,
	[QUOTA_CONNECTORS] = used_connectors,
};

static json_t *quota_encode(const struct control *ctl, const struct account *a,
			    enum quota_kind kind)
{
	int64_t value = quota_of(ctl->conf, a, kind);

	return json_pack("{s:s,s:s,s:o,s:o,s:b}", "name", quota_rows[kind].name, "title",
			 quota_rows[kind].title, "value",
			 value == INT64_MAX ? json_null() : json_integer(value), "used",
			 quota_used[kind] ? json_integer(quota_used[kind](ctl, a)) : json_null(),
			 "own", (int)quota_is_own(a, kind));
}

void quota_list(struct call *c)
{
	const struct account *a = call_account(c);
	json_t *items;

	if (!a)
		return;
	items = json_array();
	for (enum quota_kind kind = 0; kind < QUOTA_NUM; kind++)
		json_array_append_new(items, quota_encode(c->ctl, a, kind));
	call_answer(c, json_pack("{s:s,s:o}", "account", a->id, "items", items));
}

static void quota_written(struct call *c, const struct call_end *end)
{
	const char *account = json_string_value(json_object_get(c->made, "account"));
	struct account *a = account_of(c->ctl, account);
	json_t *params = c->state;

	a->changing = false;
	if (end->type) {
		json_decref(params);
		return;
	}
	json_decref(a->params);
	a->params = params;
	if (!a->name)
		account_name(a, "", a->created_ms); /* it has a row now */
}

static void quota_change(struct call *c, int64_t value)
{
	const char *name = call_text(c, "quota");
	enum quota_kind kind = quota_named(name);
	struct account *a = call_account(c), row;
	struct store_txn *t;

	if (!a)
		return;
	if (kind == QUOTA_NUM) {
		call_not_found(c, "There is no quota %s: 'doze quota ls' names them.", name);
		return;
	}
	if (value > quota_rows[kind].max) {
		call_invalid(c, "The quota %s can be at most %lld.", name,
			     (long long)quota_rows[kind].max);
		return;
	}
	if (a->changing) {
		call_fail_as(c, 409, "ConflictException",
			     "The account is being changed. Try again.");
		return;
	}
	a->changing = true;
	row = *a;
	row.params = quota_changed(a, kind, value);
	c->state = row.params;
	c->ended = quota_written;
	c->made =
		json_pack("{s:s,s:o}", "account", a->id, "quota", quota_encode(c->ctl, &row, kind));
	t = store_begin(c->ctl->store);
	account_put(t, &row);
	store_commit(t, call_done, c);
}

void quota_set(struct call *c)
{
	quota_change(c, call_number(c, "value", 0));
}

void quota_unset(struct call *c)
{
	quota_change(c, 0);
}
