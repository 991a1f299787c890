/* image.h - the role that makes image versions (ipc/build.h): one loop, several builds at a time.
 *
 * Long work runs elsewhere: build steps and machines are processes that priv starts, and files are
 * copied and synced in forked children. The role keeps nothing over a restart. What an earlier role
 * left is cleared before the first build. */
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
	gid_t control_gid;               /* the group of files that control may read */
	uint64_t boot_cpu_ns;            /* that the last boot took; 0: there was none */
	unsigned running;                /* builds that are not waiting */
	bool started;
	bool cleared;       /* what an earlier role left is gone, so builds may run */
	char *npm_registry; /* or NULL */
	const char *arch;   /* in the spelling of container builders */
};

/* A request to a peer, embedded in its sender. `done` is called once, with the answer or with NULL
 * when the peer is lost. If `more` is set, the answer comes in parts: `more` is called for each and
 * returns false for the last, which `done` gets. */
struct request {
	struct list in;
	uint64_t tag; /* 0: not sent */
	struct chan_uv *of;
	void (*done)(struct request *r, struct ipc_msg *m);
	bool (*more)(struct request *r, struct ipc_msg *m); /* true: more parts follow */
};

/* The message of a request. The descriptors stay the caller's. */
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
void request_drop(struct request *r); /* nobody is told; harmless if not sent */
bool request_answered(struct image_role *role, struct chan_uv *peer, struct ipc_msg *m);
void requests_lost(struct image_role *role, const struct chan_uv *peer);
/* Sends a request whose answer does not matter. */
void request_notify(struct chan_uv *peer, uint32_t type, const void *body, size_t size);
/* True, and *e says why, if the answer is a FAULT of priv or the peer is lost. */
bool request_failed(const struct ipc_msg *m, struct err *e);

/* Sets the group and the mode of a file that control reads. */
int image_share(const struct image_role *role, int fd, mode_t mode);
/* Makes an empty file in a directory and shares it with control. Returns a descriptor or -1. */
int image_create(const struct image_role *role, int dirfd, const char *name,
		 struct err *e) must_check;

void builds_got(struct image_role *role, struct ipc_msg *m); /* a message from control */
void builds_more(struct image_role *role);                   /* starts the builds that may run */
void bases_import(struct image_role *role, struct ipc_msg *m);
void bases_remove(struct image_role *role, struct ipc_msg *m);
void bases_pull(struct image_role *role, struct ipc_msg *m);
void bases_list(struct image_role *role, struct ipc_msg *m);
void remove_version(struct image_role *role, struct ipc_msg *m);
/* Clears everything that no build of this role knows, then sets `cleared`. It is called at the
 * start and whenever priv has come back.
 */
void sweep_start(struct image_role *role);

#endif
