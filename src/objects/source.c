#include "objects/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "objects/authorize.h"
#include "objects/object.h"

static char *source_copy(const struct request *r, const char *header)
{
	const char *value = request_header(r, header);

	return value ? xstrdup(value) : NULL;
}

/* %XX decoded in place; what is no escape stays as it is. */
static void source_decode(char *text)
{
	const char *from = text, *end = text + strlen(text);

	while (from < end) {
		int byte = percent_byte(from, (size_t)(end - from));

		*text++ = byte > 0 ? (char)byte : *from;
		from += byte > 0 ? 3 : 1;
	}
	*text = '\0';
}

int source_begin(struct request *r)
{
	autofree char *name = xstrdup(request_header(r, "x-amz-copy-source"));
	char *from = name + (*name == '/'), *slash;
	autofree char *text = NULL;
	struct source *s = &r->source;
	struct bucket *b;

	from[strcspn(from, "?")] = '\0'; /* ?versionId= */
	source_decode(from);
	slash = strchr(from, '/');
	if (slash)
		*slash = '\0';
	b = store_bucket(&r->s3->store, from);
	if (!b || !slash || (authorize_owns(r, b) && !bucket_find(b, slash + 1))) {
		answer_fault(r, b ? FAULT_NO_KEY : FAULT_NO_BUCKET, NULL);
		return -1;
	}
	if (!authorize_owns(r, b) ||
	    !authorize_object(r, "s3:GetObject", b->name, slash + 1, &text)) {
		answer_fault(r, FAULT_ACCESS_DENIED, text);
		return -1;
	}
	s->bucket = bucket_ref(b);
	s->key = xstrdup(slash + 1);
	s->if_match = source_copy(r, "x-amz-copy-source-if-match");
	s->if_none_match = source_copy(r, "x-amz-copy-source-if-none-match");
	s->range = source_copy(r, "x-amz-copy-source-range");
	return 0;
}

static void source_run(struct request *r)
{
	r->rc = found_open(&r->found, r->source.bucket, r->source.key, true);
}

static void source_done(struct request *r)
{
	const struct source *s = &r->source;
	const struct object *o = r->found.object;
	struct err e;

	if (r->rc == -ENOENT) {
		answer_fault(r, FAULT_NO_KEY, NULL);
		return;
	}
	if (r->rc) {
		store_fail(&e, -r->rc, "open the source of a copy");
		answer_err(r, FAULT_INTERNAL, &e);
		return;
	}
	if ((s->if_match && !object_etag_in(s->if_match, o->etag)) ||
	    (s->if_none_match && object_etag_in(s->if_none_match, o->etag))) {
		answer_fault(r, FAULT_PRECONDITION, NULL);
		return;
	}
	r->copying.left = o->size;
	if (object_range(s->range, o->size, &r->copying.at, &r->copying.left) < 0) {
		answer_fault(r, FAULT_INVALID_RANGE, NULL);
		return;
	}
	r->copying.fd = fd_steal(&r->found.fd);
	s->opened(r);
}

static const struct step source_step = {
	.lane = STORE_READS,
	.run = source_run,
	.done = source_done,
};

void source_open(struct request *r, void (*opened)(struct request *r))
{
	r->source.opened = opened;
	request_step(r, &source_step);
}
