/* control.h - the control role: one loop, everything it knows, and who may call whom.
 *
 * api/ reads requests and calls images.h and lifecycle.h; these change the model
 * through the store and drive machines (machine.h), clones (pool.h), routes
 * (routes.h) and builds.  Nothing below api/ knows HTTP. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <uv.h>

#include "conf/conf.h"
#include "control/model/model.h"
#include "control/store/store.h"
#include "ipc/super.h"
#include "net/chan_uv.h"
#include "wire/creds.h"
#include "wire/token.h"

struct control {
	const struct conf *conf;
	uv_loop_t loop;
	int data_fd, run_fd, log_fd; /* directories that we hold */
	int dir_fd;                  /* data/control: ours alone */
	struct store *store;
	struct list images;   /* struct image, in order of creation */
	struct list microvms; /* struct microvm, likewise */
	struct creds creds;
	struct token_keys token_keys;
	char endpoint_suffix[200]; /* ".lambda-microvm.us-east-1.localhost", with ":port" unless it
				      is 443 */
	char boot_id[UUID_SIZE];
	struct chan_uv priv, image_role, proxy;
	int next_channel[ROLE_NUM]; /* role_channels.c: sockets of roles that came back; -1: none */
	struct list priv_calls;     /* priv.c: what priv has not answered */
	struct fork_task *sweeper;  /* storage/gc.c */
	uv_timer_t expiry_timer;    /* microvm/expiry.c */
	int64_t tokens_ms;
	struct api *api;             /* api/server.c */
	struct machines *machines;   /* machine.c */
	struct pool *pool;           /* pool.c */
	struct list spares;          /* pool/spares.c */
	struct admission *admission; /* queue.c: admission */
	struct image_tasks *tasks;   /* images.c */
	struct adopting *adopting;   /* adopt.c, at start */
	bool adopted; /* what ran before is known: timers may act, the API may answer */
	bool stopping, draining;
};

/* The model: make and free.  A new one is linked into its parent's list, but for a microVM:
 * lifecycle_run does that.  Freeing takes it out of the list, and versions and builds with it. */
struct image *model_image_new(struct control *ctl, const char *name);
struct image_version *model_version_new(struct image *image, int64_t number, json_t *params);
struct build *model_build_new(struct image_version *v);
/* With id, endpoint and started_ms; @params is taken over and read (idle, duration, connectors). */
struct microvm *model_microvm_new(struct control *ctl, struct image_version *v, json_t *params);
void model_image_free(struct image *image);
void model_version_free(struct image_version *v);
void model_build_free(struct build *b);
void model_microvm_free(struct microvm *vm);

/* The model: search, and rows from structs.  NULL if there is none. */
struct image *model_image_by_name(struct control *ctl, const char *name);
struct image *model_image_by_id(struct control *ctl, const char *id);
struct image_version *model_version(struct image *image, int64_t number);
/* Newest ACTIVE and SUCCESSFUL; none of an image that is being deleted. */
struct image_version *model_active_version(struct image *image);
struct microvm *model_microvm(struct control *ctl, const char *id);
struct microvm *model_microvm_by_endpoint(struct control *ctl, const char *endpoint);
void model_put_image(struct store_txn *t, const struct image *image);
void model_put_version(struct store_txn *t, const struct image_version *v);
void model_put_build(struct store_txn *t, const struct build *b);
void model_put_microvm(struct store_txn *t, const struct microvm *vm);
/* All rows; client tokens, which the API keeps, to `token`. */
int model_load(struct control *ctl,
	       void (*token)(struct control *ctl, const struct store_token *row),
	       struct err *e) must_check;
/* Can this version run here?  ERR_CONFLICT says what it needs. */
int model_runs_here(const struct control *ctl, const struct image_version *v,
		    struct err *e) must_check;
char *model_image_arn(const struct control *ctl,
		      const struct image *image); /* owned by the caller */

/* A snapshot may be taken of everything: used by down. `done` when no microVM is RUNNING. */
void control_drain(struct control *ctl,
		   void (*done)(void *arg, unsigned suspended, unsigned failed), void *arg);

#endif
