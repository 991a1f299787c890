/* rig.h - the S3 endpoint in this process, over socket pairs, and clients of it.  The disk is
 * disk.h's, and every request counts as signed. */
#ifndef TEST_OBJECTS_RIG_H
#define TEST_OBJECTS_RIG_H

#include "objects/request.h"

struct rig {
	uv_loop_t loop;
	struct s3 s3;
	char root[64];
};

void rig_open(struct rig *g);
void rig_restart(struct rig *g); /* as after a kill: what was not on the disk is gone */
void rig_close(struct rig *g);
/* A key that a request names by the header x-test-key; one without it comes with the key "" of the
 * account 000000000000. */
void rig_key(struct rig *g, const char *id, const char *account, const char *policy);
void rig_settle(struct rig *g); /* until no request lives and no work runs */
/* Turn the loop until it is so, or fail the test. */
void rig_until(struct rig *g, bool (*so)(void *arg), void *arg);
unsigned rig_count(struct rig *g, const char *below); /* the files in a directory of the store */

/* One client with one request. */
struct ask {
	struct rig *rig;
	int fd;
	struct http1 *parser;
	struct buf out;
	size_t sent; /* of it */
	unsigned status;
	char etag[96];
	struct buf body;
	bool done;
};

static inline size_t ask_left(const struct ask *a)
{
	return a->out.size - a->sent;
}

/* @headers: whole lines, or "".  @body NULL: `size` zeros. */
struct ask *ask_begin(struct rig *g, const char *method, const char *target, const char *headers,
		      const char *body, size_t size);
bool ask_turn(struct ask *a); /* send and take what can be; true: there is nothing more to come */
unsigned ask_wait(struct ask *a); /* its status; 0: the connection was cut */
void ask_free(struct ask *a);     /* the client goes, whatever came */

/* All in one: the status; the body goes to @to (may be NULL). */
unsigned rig_ask(struct rig *g, const char *method, const char *target, const char *headers,
		 const char *body, char to[4096]);

#endif
