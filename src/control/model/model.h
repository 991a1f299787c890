/* model.h - what control knows: images, versions, builds, microVMs.  Memory holds the truth, and
 * the store its durable copy (store/store.h).  All of this belongs to one thread. */
#ifndef CONTROL_MODEL_MODEL_H
#define CONTROL_MODEL_MODEL_H

#include "control/model/account.h"
#include "control/model/image.h"
#include "control/model/microvm.h"
#include "control/store/store.h"

struct conf;
struct control;

void model_init(struct control *ctl);  /* empty; before anything else here */
void model_close(struct control *ctl); /* the tables; the rows in them are left as they are */

/* Make and free.  A new row is known to nobody until it is added, which its owner does once the
 * store has it; a new build belongs to its version at once.  Freeing takes a row out again, and its
 * versions and builds with it. */
struct image *model_image_new(const char *account, const char *name);
struct image_version *model_version_new(struct image *image, int64_t number, json_t *params);
struct build *model_build_new(struct image_version *v);
void model_add_image(struct control *ctl, struct image *image);
void model_add_version(struct image_version *v);
/* With id, endpoint, started_ms and the account of its image; @params is taken over and read (idle,
 * duration, connectors).
 * @v is NULL for a row whose version was deleted: its owner sets the origin and the account. */
struct microvm *model_microvm_new(struct control *ctl, struct image_version *v, json_t *params);
/* Of a row: only what the version gives. */
struct microvm *model_microvm_of(struct control *ctl, struct image_version *v, const char *params);
json_t *model_params(const struct microvm *vm); /* the caller's */
/* Into the list and the tables of control: it can be found from now on. */
void model_add_microvm(struct microvm *vm);
/* It takes (1) or gives back (-1) what it has from its run until it is TERMINATED: its version, its
 * connectors, its key, and its part of its account's quotas. */
void model_hold(struct microvm *vm, int n);
void model_image_free(struct control *ctl, struct image *image);
void model_version_free(struct image_version *v);
void model_build_free(struct build *b);
void model_microvm_free(struct microvm *vm);

/* What a row says becomes what memory says: all that a change may change.  Texts and tags are
 * copied. */
void model_image_become(struct image *image, const struct image *row);
void model_version_become(struct image_version *v, const struct image_version *row);
void model_build_become(struct build *b, const struct build *row);

/* Search, and rows from structs.  NULL if there is none. */
struct image *model_image_by_name(struct control *ctl, const char *account, const char *name);
struct image *model_image_by_id(struct control *ctl, const char *id);
struct image_version *model_version(struct image *image, int64_t number);
/* A microVM may start from it: it is ACTIVE and SUCCESSFUL, and neither it nor its image is being
 * deleted. */
bool model_runs(const struct image_version *v);
/* The newest of these. */
struct image_version *model_active_version(struct image *image);
struct microvm *model_microvm(struct control *ctl, const char *id);
struct microvm *model_microvm_by_endpoint(struct control *ctl, const char *endpoint);
void model_put_image(struct store_txn *t, const struct image *image);
void model_put_version(struct store_txn *t, const struct image_version *v);
void model_put_build(struct store_txn *t, const struct build *b);
void model_put_microvm(struct store_txn *t, const struct microvm *vm);
/* What belongs to a row that was left out when the rows were loaded: its microVM or machine is
 * known here by its id alone, and nobody may end it or remove its files. */
void model_leave_out(struct control *ctl, const char *id);
bool model_is_left_out(struct control *ctl, const char *id);
/* All rows; client tokens, which the API keeps, to `token`. */
int model_load(struct control *ctl,
	       void (*token)(struct control *ctl, const struct store_token *row),
	       struct err *e) must_check;
/* What to type for a version of its image that is made on this host; the caller's. */
char *model_rebuild_command(const struct control *ctl, const struct image_version *v);
/* Can this version run here?  ERR_CONFLICT says what it needs. */
int model_runs_here(const struct control *ctl, const struct image_version *v,
		    struct err *e) must_check;
/* The ARN of an account's image of this name, and of this image; owned by the caller. */
char *model_arn_of(const struct control *ctl, const char *account, const char *name);
char *model_image_arn(const struct control *ctl, const struct image *image);
/* The hooks and the memory class of a version, and what a microVM may do, out of their params. */
void model_read_version_params(const struct conf *conf, struct image_version *v);
void model_read_microvm_params(const struct conf *conf, struct microvm *vm);
/* What keeps it awake: its own words if there are any, else those of its image. */
void model_read_awake(const struct conf *conf, struct microvm *vm);
/* Its own words, among its parameters.  They count when model_read_awake was called. */
json_t *model_take_awake(struct microvm *vm);            /* NULL: it has none */
void model_put_awake(struct microvm *vm, json_t *words); /* takes them over; NULL: none */
json_t *model_awake_words(const struct awake *a);
void model_set_origin(struct microvm *vm, const char *image, const char *name, int64_t number);
/* Lets the next row of a TERMINATED microVM stand without its version. */
void model_keep_without_version(struct microvm *vm);
/* The image's name in the params of such a row; NULL: the row needs its version. */
const char *model_kept_name(const json_t *params);
/* Sets vm->drained, which the next row of the microVM carries. */
void model_set_drained(struct microvm *vm, bool drained);

#endif
