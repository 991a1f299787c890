/* steps.h - which state of an image, a version and a build follows which (service.md 9, 10).
 *
 *   image      (create) CREATING -> CREATED | CREATE_FAILED
 *              settled -> UPDATING -> UPDATED | UPDATE_FAILED     an update, or a version goes
 *              settled -> DELETING -> (gone)
 *   version    PENDING -> IN_PROGRESS -> SUCCESSFUL | FAILED -> DELETING -> (gone)
 *   build      PENDING -> IN_PROGRESS -> SUCCESSFUL | FAILED
 *
 * An event is legal if the tables of all rows that it concerns have a step for it.  These are pure
 * functions; change.c takes the steps. */
#ifndef CONTROL_IMAGES_STEPS_H
#define CONTROL_IMAGES_STEPS_H

#include "base/err.h"
#include "control/model/image.h"

enum image_event {
	IMAGE_EV_CREATE,
	IMAGE_EV_UPDATE,
	IMAGE_EV_REBUILD, /* an update whose disk is that of an earlier version */
	IMAGE_EV_TAG,
	IMAGE_EV_ACTIVATE,
	IMAGE_EV_DEACTIVATE,
	IMAGE_EV_DELETE_VERSION,
	IMAGE_EV_DELETE,
	/* Of the world. */
	IMAGE_EV_BUILD_BEGINS,
	IMAGE_EV_BUILT,
	IMAGE_EV_BUILD_FAILED,
	IMAGE_EV_VERSION_REMOVED, /* the files of a version that is DELETING are gone */
	IMAGE_EV_REMOVED,         /* the files of a version are gone whose image is DELETING */
	IMAGE_NUM_EVENTS,
};

/* What an event is about. */
struct image_subject {
	struct image *image;
	struct image_version *version; /* NULL: the image as a whole */
	struct build *build;           /* NULL: the event is not about the build */
};

struct image_states {
	enum image_state image;
	enum version_state version;
	enum build_state build;
};

struct control;

/* The states after @event.  The table of a row that the subject leaves out has no say, and its
 * state is NEW in @to.  A refusal says what the service says. */
int steps_next(const struct control *ctl, enum image_event event, const struct image_subject *of,
	       struct image_states *to, struct err *e) must_check;

/* What is asked for is already under way: the answer is yes, and nothing is done. */
bool steps_done_already(enum image_event event, const struct image_subject *of);

#endif
