/* access.h - who may come: the pairs of the credentials file, and the keys that control tells of
 * (ipc/access.h). */
#ifndef OBJECTS_ACCESS_H
#define OBJECTS_ACCESS_H

#include <uv.h>

#include "iam/keys.h"

struct access {
	struct keys keys;
	bool known;               /* control has told all: who is unknown now has no key */
	unsigned generation;      /* of the channel */
	struct access_link *link; /* NULL: no control is there */
	/* Counts the buckets of an account. */
	size_t (*buckets)(struct access *a, const char *account);
};

/* Takes the socket to a control over; what the one before had told stays until this one has told
 * all. */
int access_serve(struct access *a, uv_loop_t *loop, int sock, struct err *e) must_check;

#endif
