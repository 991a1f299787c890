#include "control/channels/grants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/list.h"
#include "base/log.h"
#include "ipc/access.h"

#define GRANTS_BATCH 64 /* fewer bytes than may wait in a channel */

/* A question that has not been answered. */
struct grants_ask {
	struct list in;
	uint64_t ask;
	grants_counted *counted;
	void *arg;
};

/* What a new channel has not been told yet. */
struct grants {
	struct access_key **keys; /* referred to */
	size_t n, at;
};

static void grants_say(struct control *ctl, enum access_type type)
{
	const struct access_none none = { 0 };

	chan_uv_send(&ctl->objects, type, 0, &none, sizeof(none), NULL, 0);
}

static_assert(KEY_POLICY_MAX == ACCESS_POLICY_MAX, "a policy would not fit");

static void grants_send(struct control *ctl, const struct access_key *key)
{
	size_t policy = key->policy ? strlen(key->policy) : 0;
	size_t size = sizeof(struct access_put) + policy;
	struct access_put *put = xcalloc(1, size);

	snprintf(put->id, sizeof(put->id), "%s", key->who.key);
	snprintf(put->account, sizeof(put->account), "%s", key->who.account);
	snprintf(put->name, sizeof(put->name), "%s", key->who.name);
	snprintf(put->arn, sizeof(put->arn), "%s", key->who.arn);
	snprintf(put->secret, sizeof(put->secret), "%s", key->secret);
	snprintf(put->session, sizeof(put->session), "%s", key->session ? key->session : "");
	put->created_ms = key->created_ms;
	put->expires_ms = key->expires_ms;
	put->active = key->active;
	put->policy = key->policy != NULL;
	if (policy)
		memcpy(put + 1, key->policy, policy);
	chan_uv_send(&ctl->objects, ACCESS_PUT, 0, put, size, NULL, 0);
	OPENSSL_cleanse(put, size);
	free(put);
}

void grants_put(struct control *ctl, const struct access_key *key)
{
	if (ctl->objects.open && !key->who.root)
		grants_send(ctl, key);
}

void grants_drop(struct control *ctl, const char *id)
{
	struct access_gone gone = { 0 };

	snprintf(gone.id, sizeof(gone.id), "%s", id);
	if (ctl->objects.open)
		chan_uv_send(&ctl->objects, ACCESS_GONE, 0, &gone, sizeof(gone), NULL, 0);
}

static void grants_forget(struct control *ctl)
{
	struct grants *g = ctl->grants;

	for (size_t i = g ? g->at : 0; g && i < g->n; i++)
		key_unref(g->keys[i]);
	if (g)
		free(g->keys);
	free(g);
	ctl->grants = NULL;
}

/* A key that went meanwhile has been told of, and must not come back. */
static void grants_next(struct control *ctl)
{
	struct grants *g = ctl->grants;

	for (size_t n = 0; n < GRANTS_BATCH && g->at < g->n; n++) {
		struct access_key *key = g->keys[g->at++];

		if (keys_find(&ctl->keys, key->who.key) == key)
			grants_send(ctl, key);
		key_unref(key);
	}
	if (g->at < g->n) {
		grants_say(ctl, ACCESS_BATCH);
		return;
	}
	grants_say(ctl, ACCESS_SYNCED);
	grants_forget(ctl);
}

static void grants_unanswered(grants_counted *counted, void *arg)
{
	struct err e;

	err_set(&e, ERR_UNAVAILABLE,
		"The S3 endpoint is not there just now; try again in a moment.");
	counted(arg, -1, 0, &e);
}

static void grants_end_asks(struct control *ctl)
{
	list_each(a, &ctl->grants_asks, struct grants_ask, in)
	{
		struct grants_ask ask = *a;

		list_del(&a->in);
		free(a);
		grants_unanswered(ask.counted, ask.arg);
	}
}

void grants_count(struct control *ctl, const char *account, grants_counted *counted, void *arg)
{
	struct access_count count = { .ask = ++ctl->grants_asked };
	struct grants_ask *a;

	if (!ctl->objects.open) {
		grants_unanswered(counted, arg);
		return;
	}
	a = xcalloc(1, sizeof(*a));
	a->ask = count.ask;
	a->counted = counted;
	a->arg = arg;
	list_add(&ctl->grants_asks, &a->in);
	snprintf(count.account, sizeof(count.account), "%s", account);
	chan_uv_send(&ctl->objects, ACCESS_COUNT, 0, &count, sizeof(count), NULL, 0);
}

static void grants_counted_it(struct control *ctl, const struct access_count *count)
{
	list_each(a, &ctl->grants_asks, struct grants_ask, in)
	{
		struct grants_ask ask = *a;

		if (a->ask != count->ask)
			continue;
		list_del(&a->in);
		free(a);
		ask.counted(ask.arg, 0, count->buckets, NULL);
		return;
	}
}

void grants_on_up(struct control *ctl)
{
	struct grants *g = xcalloc(1, sizeof(*g));

	grants_end_asks(ctl); /* the role that was asked is gone */
	grants_forget(ctl);
	g->keys = xcalloc(ctl->keys.by_id.n + 1, sizeof(struct access_key *));
	hash_each(key, &ctl->keys.by_id, struct access_key, by_id)
	{
		if (!key->who.root)
			g->keys[g->n++] = key_ref(key);
	}
	ctl->grants = g;
	grants_next(ctl);
}

void grants_on_message(struct control *ctl, struct ipc_msg *m)
{
	if (m->head.type == ACCESS_NEXT && ctl->grants)
		grants_next(ctl);
	else if (m->head.type == ACCESS_COUNTED)
		grants_counted_it(ctl, (const void *)m->body);
}

void grants_close(struct control *ctl)
{
	grants_end_asks(ctl);
	grants_forget(ctl);
}
