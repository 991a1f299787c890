/* image.h - the role that makes image versions (ipc/build.h): one loop, several builds at a time.
 *
 * What takes long is elsewhere: build steps and machines are processes that
 * priv starts, copying and fsync are forked children.  The role keeps nothing
 * over a restart; what an earlier one left is cleared before the first build. */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include <uv.h>

#include "conf/conf.h"
#include "ipc/build.h"
#include "ipc/object.h"
#include "ipc/priv.h"
#include "net/chan_uv.h"
#include "net/fork_task.h"

struct role_link;

struct image_role {
	const struct conf *conf;
	uv_loop_t *loop;
	struct role_link *link;
	struct chan_uv *control, *priv, *objects; /* NULL: not there */
	struct list requests, jobs, vms, builds;
	int images_fd, build_fd, log_fd; /* directories */
	gid_t control_gid;               /* of what control may read */
	unsigned running;                /* builds that are not waiting */
	bool started;
	bool cleared;       /* what an earlier role left is gone: builds may run */
	char *npm_registry; /* or NULL */
	const char *arch;   /* as builders name it */
};

/* A question to a peer and its answers.  Embedded; `done` comes once, with NULL when the peer is
 * lost; for an answer in parts (`more` set) that is called for each. */
struct request {
	struct list in;
	uint64_t tag; /* 0: not asked */
	struct chan_uv *of;
	void (*done)(struct request *r, struct ipc_msg *m);
	bool (*more)(struct request *r, struct ipc_msg *m); /* true: there is more to come */
};

/* What is asked; descriptors stay the caller's. */
struct request_what {
	uint32_t type;
	const void *body;
	size_t size;
	const int *fds;
	unsigned n_fds;
};

void request_send(struct image_role *role, struct chan_uv *peer, struct request *r,
		  const struct request_what *what,
		  void (*done)(struct request *r, struct ipc_msg *m));
void request_drop(struct request *r); /* nobody is told; harmless if not asked */
bool request_answered(struct image_role *role, struct chan_uv *peer, struct ipc_msg *m);
void requests_lost(struct image_role *role, const struct chan_uv *peer);
/* A question whose answer changes nothing. */
void request_tell(struct chan_uv *peer, uint32_t type, const void *body, size_t size);
/* The text of a FAULT answer of priv, or a lost peer; false if it is neither. */
bool request_failed(const struct ipc_msg *m, struct err *e);

/* Owner, group and mode of what control reads. */
int image_share(const struct image_role *role, int fd, mode_t mode);
/* An empty file below a directory, shared with control; descriptor or -1. */
int image_create(const struct image_role *role, int dirfd, const char *name,
		 struct err *e) must_check;

void builds_got(struct image_role *role, struct ipc_msg *m); /* of control */
void builds_more(struct image_role *role);                   /* start what may run */
void bases_import(struct image_role *role, struct ipc_msg *m);
void bases_list(struct image_role *role, struct ipc_msg *m);
void remove_version(struct image_role *role, struct ipc_msg *m);
/* At the start, and when priv came back: what no build of ours knows is cleared.  Then `cleared`.
 */
void sweep_start(struct image_role *role);

#endif
