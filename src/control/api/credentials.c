#include "control/api/credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/steady.h"
#include "control/api/credentials_outside.h"
#include "control/api/issue.h"
#include "control/api/roles.h"
#include "control/channels/grants.h"
#include "control/channels/priv.h"
#include "control/model/access_key.h"
#include "wire/agent.h"

#define CREDENTIALS_LAST_S   3300         /* as the service's do */
#define CREDENTIALS_YOUNG_MS (45 * 60000) /* an older session is followed by another one */

/* Of a session that is on its way to the store. */
struct issuing {
	struct control *ctl;
	char microvm[MICROVM_ID_SIZE];
	struct access_key *key; /* referred to */
	credentials_given *given;
};

/* doze: a session of the role, as AssumeRole makes it, named after the microVM. */

static bool credentials_is_of(const struct access_key *key, const char *account,
			      const char *microvm)
{
	return key->session && !strcmp(key->who.name, microvm) &&
	       !strcmp(key->who.account, account) && strstr(key->who.arn, ":assumed-role/");
}

/* Where the key is good for something, and what its server is known by. */
static void credentials_places(const struct control *ctl, struct buf *to)
{
	autofree char *api = xasprintf("https://" SLOT_API_IP ":%u", ctl->api->port);
	autofree char *s3 = xasprintf("https://" SLOT_API_IP ":%u", (unsigned)ctl->conf->s3_port);

	agent_put_text(to, FIELD_NAME, "doze/api");
	agent_put_text(to, FIELD_BYTES, api);
	agent_put_text(to, FIELD_NAME, "doze/s3");
	agent_put_text(to, FIELD_BYTES, s3);
	agent_put_text(to, FIELD_NAME, "doze/ca");
	agent_put(to, FIELD_BYTES, ctl->api->ca.data, ctl->api->ca.size);
}

/* With the key the guest gets a way there. */
static void credentials_way_open(void *arg, int rc, const struct err *e)
{
	struct issuing *i = arg;
	autobuf struct buf places = { 0 };
	const struct credentials c = { i->key->who.key, i->key->secret, i->key->session,
				       i->key->expires_ms, &places };

	credentials_places(i->ctl, &places);
	i->given(i->ctl, i->microvm, rc ? NULL : &c, e);
	key_unref(i->key);
	free(i);
}

static void credentials_give_key(struct issuing *i, const struct microvm *vm)
{
	priv_open_api(i->ctl, vm->machine_id, credentials_way_open, i);
}

static struct issuing *credentials_issuing(struct control *ctl, const struct microvm *vm,
					   struct access_key *key, credentials_given *given)
{
	struct issuing *i = xcalloc(1, sizeof(*i));

	*i = (struct issuing){ .ctl = ctl, .key = key, .given = given };
	memcpy(i->microvm, vm->id, sizeof(i->microvm));
	return i;
}

static void credentials_forget(struct control *ctl, struct store_txn *t, struct access_key *key)
{
	store_del_access_key(t, key->who.key);
	grants_drop(ctl, key->who.key);
	keys_drop(&ctl->keys, key->who.key);
}

static void credentials_issued(void *arg, int rc, const struct err *e)
{
	struct issuing *i = arg;
	struct control *ctl = i->ctl;
	const struct microvm *vm = model_microvm(ctl, i->microvm);
	struct store_txn *t;

	if (rc) {
		i->given(ctl, i->microvm, NULL, e);
	} else if (!vm || vm->state == VM_TERMINATED) {
		t = store_begin(ctl->store);
		store_del_access_key(t, i->key->who.key);
		store_commit(t, NULL, NULL);
	} else {
		keys_put(&ctl->keys, key_ref(i->key));
		grants_put(ctl, i->key);
		credentials_give_key(i, vm);
		return;
	}
	key_unref(i->key);
	free(i);
}

static struct access_key *credentials_session(struct control *ctl, const struct iam_role *role,
					      const struct microvm *vm, struct err *e)
{
	int64_t lasts_s =
		role->max_session_s < CREDENTIALS_LAST_S ? role->max_session_s : CREDENTIALS_LAST_S;
	struct access_key *key;

	if (!account_is_open(ctl, account_of(ctl, role->account))) {
		err_set(e, ERR_INVALID, "the role's account is closed");
		return NULL;
	}
	/* There are as many as there are microVMs, whose number has a quota of its own. */
	issue_forget(ctl);
	key = issue_new(ctl, role->account, true);
	key->expires_ms = key->created_ms + 1000 * lasts_s;
	snprintf(key->who.name, sizeof(key->who.name), "%.64s", vm->id);
	snprintf(key->who.arn, sizeof(key->who.arn), "arn:aws:sts::%s:assumed-role/%s/%s",
		 role->account, strrchr(role->arn, '/') + 1, vm->id);
	if (!key_allow(key, role->policy, e))
		return key;
	key_unref(key);
	return NULL;
}

static void credentials_of_doze(struct control *ctl, const struct iam_role *role,
				const struct microvm *vm, credentials_given *given)
{
	struct issuing *i;
	struct access_key *key;
	struct store_txn *t;
	struct err e;

	hash_each(old, &ctl->keys.by_id, struct access_key, by_id)
	{
		if (credentials_is_of(old, role->account, vm->id) && old->active &&
		    old->expires_ms - steady_ms() >= CREDENTIALS_YOUNG_MS) {
			credentials_give_key(credentials_issuing(ctl, vm, key_ref(old), given), vm);
			return;
		}
	}
	key = credentials_session(ctl, role, vm, &e);
	if (!key) {
		given(ctl, vm->id, NULL, &e);
		return;
	}
	i = credentials_issuing(ctl, vm, key, given);
	t = store_begin(ctl->store);
	access_key_put(t, key);
	store_commit(t, credentials_issued, i);
}

/* clang-format off */
static const struct {
	const char *word; /* of [role] credentials */
	credentials_source *ask;
	bool issues; /* sessions, which go with the microVM */
} credentials_sources[] = {
	{ "static", credentials_of_file, false },
	{ "process", credentials_of_program, false },
	{ "doze", credentials_of_doze, true },
};
/* clang-format on */

/* A microVM has roles of its own account alone. */
static const struct iam_role *credentials_role(struct control *ctl, const char *account,
					       const char *arn, size_t *source)
{
	const struct iam_role *role = roles_find(&ctl->api->roles, arn);

	if (!role || strcmp(role->account, account) != 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(credentials_sources); i++)
		if (!strcmp(role->conf->credentials, credentials_sources[i].word)) {
			*source = i;
			return role;
		}
	return NULL;
}

static bool credentials_known(struct control *ctl, const char *account, const char *arn)
{
	size_t source;

	return credentials_role(ctl, account, arn, &source);
}

static void credentials_ask(struct control *ctl, const struct microvm *vm, const char *arn,
			    credentials_given *given)
{
	size_t source;
	const struct iam_role *role = credentials_role(ctl, vm->account, arn, &source);

	assert(role); /* roles are read at a start alone */
	credentials_sources[source].ask(ctl, role, vm, given);
}

static void credentials_drop(struct control *ctl, const struct microvm *vm)
{
	struct store_txn *t = NULL;

	hash_each(key, &ctl->keys.by_id, struct access_key, by_id)
	{
		if (!credentials_is_of(key, vm->account, vm->id))
			continue;
		t = t ? t : store_begin(ctl->store);
		credentials_forget(ctl, t, key);
	}
	if (t)
		store_commit(t, NULL, NULL);
}

/* Has the log not had a line of this role yet?  When many are unknown, old ones are forgotten. */
static bool credentials_is_news(const char *arn)
{
	static uint64_t seen[64];
	static size_t next;
	uint64_t hash = hash_fnv1a_64(arn, strlen(arn));

	for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
		if (seen[i] == hash)
			return false;
	seen[next++ % ARRAY_SIZE(seen)] = hash;
	return true;
}

bool credentials_role_ok(struct call *c, const char *member)
{
	const char *arn = call_text(c, member);
	const struct iam_role *role = arn ? roles_find(&c->ctl->api->roles, arn) : NULL;

	if (!arn || (role && !strcmp(role->account, c->who->account)))
		return true;
	if (!strcmp(c->ctl->conf->unknown_roles, "refuse")) {
		call_invalid(c, "The role %s is not one of this server's configuration.", arn);
		return false;
	}
	if (strcmp(member, "buildRoleArn") && credentials_is_news(arn))
		log_warn("a role is in no [role NAME], so it gives no credentials role=%s", arn);
	return true;
}

const struct guest_role_ops credentials_ops = {
	.known = credentials_known,
	.ask = credentials_ask,
	.drop = credentials_drop,
};
