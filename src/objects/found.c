#include "objects/found.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "objects/discard.h"
#include "objects/record.h"
#include "wire/sigv4.h"

#define FOUND_TRIES 10

static int found_try(struct found *f, const struct bucket *b, const char *name, bool data)
{
	int rc = record_read(b->meta, name, &f->meta);

	if (rc)
		return rc;
	f->object = object_of(f->meta);
	if (!f->object)
		return -EBADMSG;
	if (!data)
		return 0;
	f->fd = io_open_below(b->data, f->object->data, O_RDONLY, 0);
	return f->fd < 0 ? f->fd : 0;
}

static void found_clear(struct found *f)
{
	json_decref(f->meta);
	object_free(f->object);
	*f = (struct found){ .fd = -1 };
}

int found_open(struct found *f, const struct bucket *b, const char *key, bool data)
{
	char name[65];
	int rc = 0;

	sha256_hex(key, strlen(key), name);
	/* If the record is there and its bytes are not, a replacement came between the two. */
	for (int i = 0; i < FOUND_TRIES; i++) {
		bool recorded;

		*f = (struct found){ .fd = -1 };
		rc = found_try(f, b, name, data);
		if (!rc)
			return 0;
		recorded = f->meta != NULL;
		found_clear(f);
		if (rc != -ENOENT || !recorded)
			return rc;
	}
	return -EIO;
}

void found_free(struct store *s, struct found *f)
{
	discard_fd(s, STORE_READS, &f->fd);
	found_clear(f);
}
