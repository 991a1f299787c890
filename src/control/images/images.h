/* images.h - image versions: made by builds, activated, removed (service.md 9, 10).
 *
 * Every change is in memory at once and undone if the store refuses it; `done`
 * comes when it is durable.  builds.c talks to the image role. */
#ifndef CONTROL_IMAGES_IMAGES_H
#define CONTROL_IMAGES_IMAGES_H

#include "control/control.h"
#include "control/microvm/lifecycle.h"
#include "control/model/model.h"

/* A new image with its first version, or a next version of one, with a build; then images_start
 * makes them durable (in the transaction @with of the client token, or NULL) and builds.  @params:
 * the validated request with its defaults, and "rebuildOf" if it is made of the disk of that
 * version; it and @tags are taken over.  Ends by itself in
 * CREATED/UPDATED or CREATE_FAILED/UPDATE_FAILED. */
struct image_version *images_new(struct control *ctl, const char *name, json_t *tags,
				 json_t *params);
struct image_version *images_next(struct control *ctl, struct image *image, json_t *params);
void images_start(struct control *ctl, struct image_version *v, struct store_txn *with,
		  lifecycle_done *done, void *arg);

/* It is being worked on: CREATING, UPDATING, DELETING. */
bool images_busy(const struct image *image);
struct image_version *images_newest_made(struct image *image); /* SUCCESSFUL; NULL: none */

/* Refused in the states that service.md 9 names; the files go later, by the image role. */
void images_delete(struct control *ctl, struct image *image, lifecycle_done *done, void *arg);
void images_delete_version(struct control *ctl, struct image_version *v, lifecycle_done *done,
			   void *arg);
void images_set_status(struct control *ctl, struct image_version *v, const char *status,
		       lifecycle_done *done, void *arg);
/* @tags is taken over. */
void images_set_tags(struct control *ctl, struct image *image, json_t *tags, lifecycle_done *done,
		     void *arg);
/* Stop it; it ends as any failed build. */
void images_cancel(struct control *ctl, struct build *b);
struct build *images_build(struct control *ctl, const char *id); /* NULL: unknown */

/* Base file systems: import a tar (@fd stays the caller's), or list them as
 * [{"name", "digest", "sizeInBytes", "createdAt"}]; the list is borrowed until the callback
 * returns. */
typedef void images_listed(void *arg, int rc, const json_t *list, const struct err *e);
void images_import_base(struct control *ctl, const char *name, int fd, lifecycle_done *done,
			void *arg);
void images_list_bases(struct control *ctl, images_listed *done, void *arg);

/* Messages of the image role; it came (back): send what is unfinished (again). */
void images_got(struct control *ctl, struct ipc_msg *m);
void images_role_back(struct control *ctl);
void images_close(struct control *ctl);

#endif
