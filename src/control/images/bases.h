/* bases.h - base file systems, which the image role imports, fetches, lists and removes. */
#ifndef CONTROL_IMAGES_BASES_H
#define CONTROL_IMAGES_BASES_H

#include "control/control.h"
#include "control/images/change.h"

/* @fd stays the caller's. */
void bases_import(struct control *ctl, const char *name, int fd, images_done *done, void *arg);

/* Takes its name away, or fetches it from its registry. */
void bases_remove(struct control *ctl, const char *name, images_done *done, void *arg);
void bases_pull(struct control *ctl, const char *name, images_done *done, void *arg);

/* [{"name", "digest", "sizeInBytes", "createdAt"}], borrowed until the callback returns. */
typedef void bases_listed(void *arg, int rc, const json_t *list, const struct err *e);
void bases_list(struct control *ctl, bases_listed *done, void *arg);

void bases_open(struct control *ctl);
void bases_close(struct control *ctl);

/* Of the image role (channels/builder.h). */
void bases_builder_up(struct control *ctl); /* what waits ends with an error */
void bases_got_item(struct control *ctl, uint64_t tag, const struct build_base *base);
void bases_got_done(struct control *ctl, uint64_t tag, const struct build_result *result);

#endif
