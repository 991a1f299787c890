/* images.h - image versions: made by builds, activated, removed (service.md 9, 10). */
#ifndef CONTROL_IMAGES_H
#define CONTROL_IMAGES_H

#include "control/control.h"

/* Create an image or a next version of one.  @params: the validated request with its defaults; the
 * reference is taken over.  `done` after the rows are durable; the build then goes on by itself and
 * ends in CREATED/UPDATED or CREATE_FAILED/UPDATE_FAILED.  @with: the client token's transaction or
 * NULL. */
void images_create(struct control *ctl, const char *name, json_t *tags, json_t *params,
		   struct store_txn *with, life_done *done, void *arg);
void images_update(struct image *image, json_t *params, struct store_txn *with, life_done *done,
		   void *arg);
void images_delete(struct image *image, life_done *done, void *arg);
void images_delete_version(struct image_version *v, life_done *done, void *arg);
void images_set_status(struct image_version *v, const char *status, life_done *done, void *arg);

/* Messages of the image role; it came back: send what is unfinished again. */
void images_got(struct control *ctl, struct ipc_msg *m);
void images_role_back(struct control *ctl);

/* hooks, memory class of a version out of its params. */
void images_read_params(const struct conf *conf, struct image_version *v);

#endif
