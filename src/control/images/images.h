/* images.h - images and their versions: made, changed and removed as somebody asks (service.md 9).
 *
 * `done` comes when the change is durable, or was refused (change.h). */
#ifndef CONTROL_IMAGES_IMAGES_H
#define CONTROL_IMAGES_IMAGES_H

#include "control/images/change.h"

/* Who asks for a version: `drafted` words the answer before it is written, then `done`. */
struct images_asker {
	images_drafted *drafted;
	images_done *done;
	void *arg;
};

/* A new image with its first version, or a next version of one, and the build of it.  @params: the
 * validated request with its defaults, and "rebuildOf" (with IMAGE_EV_REBUILD) if it is made of the
 * disk of that version; it and @tags (NULL: none) are taken over. */
void images_create(struct control *ctl, const char *account, const char *name, json_t *tags,
		   json_t *params, const struct images_asker *asker);
void images_update(struct control *ctl, struct image *image, enum image_event event, json_t *params,
		   const struct images_asker *asker);

bool images_name_taken(struct control *ctl, const char *account, const char *name);
/* Of an account, with those that are being made. */
size_t images_count(const struct control *ctl, const char *account);
bool images_failed(const struct image *image);                 /* CREATE_FAILED, UPDATE_FAILED */
struct image_version *images_newest_made(struct image *image); /* SUCCESSFUL; NULL: none */

/* Refused in the states that service.md 9 names; the files go later, by the image role. */
void images_delete(struct control *ctl, struct image *image, images_done *done, void *arg);
void images_delete_version(struct control *ctl, struct image_version *v, images_done *done,
			   void *arg);
void images_set_status(struct control *ctl, struct image_version *v, enum version_status status,
		       images_done *done, void *arg);
/* @edit changes the tags as they are when its turn comes, by @by, so that no other request's tags
 * are lost. */
void images_set_tags(struct control *ctl, struct image *image, images_tags_edit *edit,
		     const json_t *by, images_done *done, void *arg);

/* After model_load, before the image role is there. */
void images_open(struct control *ctl);
void images_close(struct control *ctl); /* after store_close: nobody is answered any more */

#endif
