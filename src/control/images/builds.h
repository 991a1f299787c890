/* builds.h - what images.c asks of the image role (ipc/build.h). */
#ifndef CONTROL_IMAGES_BUILDS_H
#define CONTROL_IMAGES_BUILDS_H

#include "control/images/images.h"

struct image_tasks {
	struct list builds; /* in the order in which they came */
	struct list bases;
	uint64_t next_tag;
};
struct image_tasks *builds_tasks(struct control *ctl);

/* Its rows are durable: build it when there is room. */
void builds_queue(struct control *ctl, struct build *b);
/* Its row says DELETING: its files go, then the rows. */
void builds_remove(struct control *ctl, struct image_version *v);
/* latest_active of what is ACTIVE and SUCCESSFUL now. */
void images_find_active(struct image *image);

/* bases.c, for builds.c. */
void bases_got_item(struct control *ctl, struct ipc_msg *m);
void bases_got_done(struct control *ctl, struct ipc_msg *m);
void bases_role_back(struct image_tasks *tasks); /* ends what waits with an error */
void bases_free(struct image_tasks *tasks);

#endif
