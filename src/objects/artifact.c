#include "objects/artifact.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ipc/object.h"
#include "net/chan_uv.h"
#include "objects/found.h"

struct artifact {
	struct chan_uv chan;
	struct store *store; /* borrowed */
	bool lost, closed;
	unsigned asks; /* under way: it is freed after them */
};

struct artifact_ask {
	struct disk_task task;
	struct artifact *artifact;
	struct bucket *bucket; /* a reference */
	uint64_t tag;
	char key[S3_KEY_SIZE];
	struct found found;
	int rc;
};

static void artifact_fault(struct artifact *a, uint64_t tag, const char *code, const char *text)
{
	struct object_fault f = { 0 };

	snprintf(f.code, sizeof(f.code), "%s", code);
	snprintf(f.text, sizeof(f.text), "%s", text);
	chan_uv_send(&a->chan, OBJECT_FAULT, tag, &f, sizeof(f), NULL, 0);
}

static void artifact_missing(struct artifact *a, uint64_t tag, const char *bucket, const char *key)
{
	char text[IPC_TEXT_SIZE];

	snprintf(text, sizeof(text), "There is no object '%.300s' in the bucket '%s'.", key,
		 bucket);
	artifact_fault(a, tag, "NoSuchKey", text);
}

static void artifact_answer(struct artifact *a, struct artifact_ask *ask)
{
	struct object_found found = { 0 };
	char text[IPC_TEXT_SIZE];

	if (ask->rc == -ENOENT) {
		artifact_missing(a, ask->tag, ask->bucket->name, ask->key);
		return;
	}
	if (ask->rc) {
		snprintf(text, sizeof(text), "The object cannot be read: %s.", strerror(-ask->rc));
		artifact_fault(a, ask->tag, "InternalError", text);
		return;
	}
	found.size = ask->found.object->size;
	snprintf(found.etag, sizeof(found.etag), "%s", ask->found.object->etag);
	chan_uv_send(&a->chan, OBJECT_FOUND, ask->tag, &found, sizeof(found), &ask->found.fd, 1);
}

static void artifact_run(struct disk_task *t)
{
	struct artifact_ask *ask = container_of(t, struct artifact_ask, task);

	ask->rc = found_open(&ask->found, ask->bucket, ask->key, true);
}

static void artifact_freed(struct chan_uv *c);

static void artifact_done(struct disk_task *t)
{
	struct artifact_ask *ask = container_of(t, struct artifact_ask, task);
	struct artifact *a = ask->artifact;

	if (!a->lost)
		artifact_answer(a, ask);
	found_free(a->store, &ask->found);
	bucket_unref(ask->bucket);
	free(ask);
	a->asks--;
	if (a->closed)
		artifact_freed(&a->chan);
}

static void artifact_get(struct artifact *a, uint64_t tag, const char *account, const char *bucket,
			 const char *key)
{
	struct bucket *b = store_bucket(a->store, bucket);
	char text[IPC_TEXT_SIZE];
	struct artifact_ask *ask;

	if (!b) {
		snprintf(text, sizeof(text), "There is no bucket '%s'.", bucket);
		artifact_fault(a, tag, "NoSuchBucket", text);
		return;
	}
	if (strcmp(b->owner, account) != 0) {
		snprintf(text, sizeof(text), "The bucket '%s' is another account's.", bucket);
		artifact_fault(a, tag, "AccessDenied", text);
		return;
	}
	if (!bucket_find(b, key)) {
		artifact_missing(a, tag, bucket, key);
		return;
	}
	ask = xcalloc(1, sizeof(*ask));
	ask->artifact = a;
	ask->bucket = bucket_ref(b);
	ask->tag = tag;
	snprintf(ask->key, sizeof(ask->key), "%s", key);
	ask->found.fd = -1;
	ask->task.run = artifact_run;
	ask->task.done = artifact_done;
	a->asks++;
	disk_task_start(&a->store->lanes[STORE_READS], &ask->task);
}

static void artifact_got(struct chan_uv *c, struct ipc_msg *m)
{
	struct artifact *a = container_of(c, struct artifact, chan);
	const struct object_get *g = (const void *)m->body;
	char bucket[sizeof(g->bucket)], key[sizeof(g->key)], account[sizeof(g->account)];

	if (m->head.type != OBJECT_GET)
		return;
	snprintf(bucket, sizeof(bucket), "%.*s", (int)sizeof(g->bucket) - 1, g->bucket);
	snprintf(key, sizeof(key), "%.*s", (int)sizeof(g->key) - 1, g->key);
	snprintf(account, sizeof(account), "%.*s", (int)sizeof(g->account) - 1, g->account);
	artifact_get(a, m->head.tag, account, bucket, key);
}

/* Called when the handle of the channel has closed, and when the last ask after that is done. */
static void artifact_freed(struct chan_uv *c)
{
	struct artifact *a = container_of(c, struct artifact, chan);

	a->closed = true;
	if (!a->asks)
		free(a);
}

static void artifact_lost(struct chan_uv *c)
{
	container_of(c, struct artifact, chan)->lost = true;
	c->freed = artifact_freed;
}

int artifact_serve(uv_loop_t *loop, int sock, struct store *store, struct err *e)
{
	struct artifact *a = xcalloc(1, sizeof(*a));

	a->store = store;
	if (!chan_uv_open(&a->chan, loop, sock, object_rows, OBJECT_NUM_TYPES, artifact_got,
			  artifact_lost, e))
		return 0;
	free(a);
	return -1;
}
