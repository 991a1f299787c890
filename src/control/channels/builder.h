/* builder.h - the image role, as control talks to it: ipc/build.h as functions.
 *
 * This module keeps nothing.  When the image role comes back, `up` is called, and the callers send
 * again what it had not finished.  Nothing may be sent while it is away (builder_there). */
#ifndef CONTROL_CHANNELS_BUILDER_H
#define CONTROL_CHANNELS_BUILDER_H

#include "control/control.h"
#include "control/model/model.h"

/* The texts in these structs are not terminated. */
struct builder_events {
	void (*up)(struct control *ctl); /* it is there, or there again */
	void (*step)(struct control *ctl, const struct build_step *step);
	void (*done)(struct control *ctl, const struct build_done *done);
	void (*removed)(struct control *ctl, const char *image, int64_t version);
	void (*base_item)(struct control *ctl, uint64_t tag, const struct build_base *base);
	void (*base_done)(struct control *ctl, uint64_t tag, const struct build_result *result);
};

bool builder_there(const struct control *ctl);
void builder_start(struct control *ctl, const struct build *b, int spec_fd); /* a dup is sent */
void builder_cancel(struct control *ctl, const struct build *b);
void builder_remove(struct control *ctl, const struct image_version *v);
void builder_import_base(struct control *ctl, uint64_t tag, const char *name, int fd); /* a dup */
/* @type is BUILD_BASE_REMOVE or BUILD_BASE_PULL. */
void builder_change_base(struct control *ctl, enum build_type type, uint64_t tag, const char *name);
void builder_list_bases(struct control *ctl, uint64_t tag);

/* roles.c: the channel. */
void builder_on_up(struct control *ctl);
void builder_on_message(struct control *ctl, struct ipc_msg *m);

#endif
