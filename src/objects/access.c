#include "objects/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ipc/access.h"
#include "net/chan_uv.h"

struct access_link {
	struct chan_uv chan;
	struct access *access; /* borrowed; NULL: a newer one has taken its place */
};

#define ACCESS_COPY(to, from) snprintf(to, sizeof(to), "%.*s", (int)sizeof(from) - 1, from)

static void access_put(struct access *a, const struct ipc_msg *m)
{
	const struct access_put *put = (const void *)m->body;
	size_t size = m->head.size - sizeof(*put);
	autofree char *policy = NULL;
	char id[129], secret[129];
	struct access_key *key;
	struct err e;

	ACCESS_COPY(id, put->id);
	ACCESS_COPY(secret, put->secret);
	key = key_new(id, secret);
	explicit_bzero(secret, sizeof(secret));
	ACCESS_COPY(key->who.account, put->account);
	ACCESS_COPY(key->who.name, put->name);
	ACCESS_COPY(key->who.arn, put->arn);
	if (put->session[0])
		key->session = xasprintf("%.*s", (int)sizeof(put->session) - 1, put->session);
	key->created_ms = put->created_ms;
	key->expires_ms = put->expires_ms;
	key->active = put->active;
	key->generation = a->generation;
	if (put->policy)
		policy = xasprintf("%.*s", (int)size, (const char *)(put + 1));
	if (key_allow(key, policy, &e)) {
		log_err("an access key is refused: its policy cannot be read key=%s error=\"%s\"",
			id, e.text);
		key->active = false;
	}
	keys_put(&a->keys, key);
}

static void access_gone(struct access *a, const struct ipc_msg *m)
{
	const struct access_gone *gone = (const void *)m->body;
	char id[129];

	ACCESS_COPY(id, gone->id);
	keys_drop(&a->keys, id);
}

static void access_batch(struct access *a, const struct ipc_msg *m)
{
	const struct access_none none = { 0 };

	(void)m;
	chan_uv_send(&a->link->chan, ACCESS_NEXT, 0, &none, sizeof(none), NULL, 0);
}

/* What the control before had told, and this one does not know. */
static void access_synced(struct access *a, const struct ipc_msg *m)
{
	(void)m;
	hash_each(key, &a->keys.by_id, struct access_key, by_id)
	{
		if (!key->who.root && key->generation != a->generation)
			keys_drop(&a->keys, key->who.key);
	}
	a->known = true;
}

static void access_count(struct access *a, const struct ipc_msg *m)
{
	const struct access_count *asked = (const void *)m->body;
	struct access_count answer = *asked;

	answer.account[sizeof(answer.account) - 1] = '\0';
	answer.buckets = a->buckets(a, answer.account);
	chan_uv_send(&a->link->chan, ACCESS_COUNTED, 0, &answer, sizeof(answer), NULL, 0);
}

static void (*const access_messages[ACCESS_NUM_TYPES])(struct access *, const struct ipc_msg *) = {
	[ACCESS_PUT] = access_put,     [ACCESS_GONE] = access_gone,
	[ACCESS_BATCH] = access_batch, [ACCESS_SYNCED] = access_synced,
	[ACCESS_COUNT] = access_count,
};

static void access_got(struct chan_uv *c, struct ipc_msg *m)
{
	struct access_link *link = container_of(c, struct access_link, chan);

	if (link->access && m->head.type < ACCESS_NUM_TYPES && access_messages[m->head.type])
		access_messages[m->head.type](link->access, m);
	explicit_bzero(m->body, m->head.size);
}

static void access_freed(struct chan_uv *c)
{
	free(container_of(c, struct access_link, chan));
}

static void access_lost(struct chan_uv *c)
{
	struct access_link *link = container_of(c, struct access_link, chan);

	if (link->access)
		link->access->link = NULL;
	c->freed = access_freed;
}

int access_serve(struct access *a, uv_loop_t *loop, int sock, struct err *e)
{
	struct access_link *link = xcalloc(1, sizeof(*link));

	if (a->link) {
		a->link->access = NULL;
		chan_uv_close(&a->link->chan, access_freed);
		a->link = NULL;
	}
	if (chan_uv_open(&link->chan, loop, sock, access_rows, ACCESS_NUM_TYPES, access_got,
			 access_lost, e)) {
		free(link);
		return -1;
	}
	link->access = a;
	link->chan.freed = access_freed;
	a->link = link;
	a->generation++;
	return 0;
}
