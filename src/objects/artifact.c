#include "objects/artifact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/object.h"
#include "net/chan_uv.h"

struct artifact {
	struct chan_uv chan;
	const struct store *store; /* borrowed */
};

static void artifact_fault(struct artifact *a, uint64_t tag, const char *code, const char *text)
{
	struct object_fault f = { 0 };

	snprintf(f.code, sizeof(f.code), "%s", code);
	snprintf(f.text, sizeof(f.text), "%s", text);
	chan_uv_send(&a->chan, OBJECT_FAULT, tag, &f, sizeof(f), NULL, 0);
}

static void artifact_get(struct artifact *a, uint64_t tag, const char *bucket, const char *key)
{
	const struct bucket *b = store_bucket((struct store *)(uintptr_t)a->store, bucket);
	const struct object *o = b ? bucket_find(b, key) : NULL;
	struct object_found found = { 0 };
	char text[IPC_TEXT_SIZE];
	autoclose int fd = -1;

	if (!o) {
		snprintf(text, sizeof(text),
			 b ? "There is no object '%.300s' in the bucket '%s'."
			   : "There is no bucket '%.0s%s'.",
			 key, bucket);
		artifact_fault(a, tag, b ? "NoSuchKey" : "NoSuchBucket", text);
		return;
	}
	fd = bucket_open_data(b, o->data);
	if (fd < 0) {
		snprintf(text, sizeof(text), "The object cannot be read: %s.", strerror(-fd));
		artifact_fault(a, tag, "InternalError", text);
		return;
	}
	found.size = o->size;
	snprintf(found.etag, sizeof(found.etag), "%s", o->etag);
	chan_uv_send(&a->chan, OBJECT_FOUND, tag, &found, sizeof(found), &fd, 1);
}

static void artifact_got(struct chan_uv *c, struct ipc_msg *m)
{
	struct artifact *a = container_of(c, struct artifact, chan);
	const struct object_get *g = (const void *)m->body;
	char bucket[sizeof(g->bucket)], key[sizeof(g->key)];

	if (m->head.type != OBJECT_GET)
		return;
	snprintf(bucket, sizeof(bucket), "%.*s", (int)sizeof(g->bucket) - 1, g->bucket);
	snprintf(key, sizeof(key), "%.*s", (int)sizeof(g->key) - 1, g->key);
	artifact_get(a, m->head.tag, bucket, key);
}

static void artifact_freed(struct chan_uv *c)
{
	free(container_of(c, struct artifact, chan));
}

static void artifact_lost(struct chan_uv *c)
{
	c->freed = artifact_freed; /* when its handle has closed */
}

int artifact_serve(uv_loop_t *loop, int sock, const struct store *store, struct err *e)
{
	struct artifact *a = xcalloc(1, sizeof(*a));

	a->store = store;
	if (!chan_uv_open(&a->chan, loop, sock, object_rows, OBJECT_NUM_TYPES, artifact_got,
			  artifact_lost, e))
		return 0;
	free(a);
	return -1;
}
