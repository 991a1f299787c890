/* steps.c - the tables of steps.h, and what is said where they have none. */

#include "control/images/steps.h"

#include "control/model/model.h"

/* A zero is no step: nothing becomes NEW. */
/* clang-format off */
static const enum image_state image_steps[IMAGE_NUM_STATES][IMAGE_NUM_EVENTS] = {
#define SETTLED(state)                                 \
	[IMAGE_EV_UPDATE]         = IMAGE_UPDATING,    \
	[IMAGE_EV_REBUILD]        = IMAGE_UPDATING,    \
	[IMAGE_EV_TAG]            = state,             \
	[IMAGE_EV_ACTIVATE]       = state,             \
	[IMAGE_EV_DEACTIVATE]     = state,             \
	[IMAGE_EV_DELETE_VERSION] = IMAGE_UPDATING,    \
	[IMAGE_EV_DELETE]         = IMAGE_DELETING
	[IMAGE_NEW] = {
		[IMAGE_EV_CREATE]          = IMAGE_CREATING,
	},
	[IMAGE_CREATING] = {
		[IMAGE_EV_TAG]             = IMAGE_CREATING,
		[IMAGE_EV_BUILD_BEGINS]    = IMAGE_CREATING,
		[IMAGE_EV_BUILT]           = IMAGE_CREATED,
		[IMAGE_EV_BUILD_FAILED]    = IMAGE_CREATE_FAILED,
	},
	[IMAGE_CREATED]       = { SETTLED(IMAGE_CREATED) },
	[IMAGE_CREATE_FAILED] = { SETTLED(IMAGE_CREATE_FAILED) },
	[IMAGE_UPDATING] = {
		[IMAGE_EV_TAG]             = IMAGE_UPDATING,
		[IMAGE_EV_BUILD_BEGINS]    = IMAGE_UPDATING,
		[IMAGE_EV_BUILT]           = IMAGE_UPDATED,
		[IMAGE_EV_BUILD_FAILED]    = IMAGE_UPDATE_FAILED,
		[IMAGE_EV_VERSION_REMOVED] = IMAGE_UPDATED,
	},
	[IMAGE_UPDATED]       = { SETTLED(IMAGE_UPDATED) },
	[IMAGE_UPDATE_FAILED] = { SETTLED(IMAGE_UPDATE_FAILED) },
	[IMAGE_DELETING] = {
		[IMAGE_EV_TAG]             = IMAGE_DELETING,
		[IMAGE_EV_REMOVED]         = IMAGE_DELETING, /* gone with its last version */
	},
#undef SETTLED
};

static const enum version_state version_steps[VERSION_NUM_STATES][IMAGE_NUM_EVENTS] = {
	[VERSION_NEW] = {
		[IMAGE_EV_CREATE]          = VERSION_PENDING,
		[IMAGE_EV_UPDATE]          = VERSION_PENDING,
		[IMAGE_EV_REBUILD]         = VERSION_PENDING,
	},
	[VERSION_PENDING] = {
		[IMAGE_EV_DEACTIVATE]      = VERSION_PENDING,
		[IMAGE_EV_BUILD_BEGINS]    = VERSION_IN_PROGRESS,
		[IMAGE_EV_BUILD_FAILED]    = VERSION_FAILED, /* cancelled before it began */
	},
	[VERSION_IN_PROGRESS] = {
		[IMAGE_EV_DEACTIVATE]      = VERSION_IN_PROGRESS,
		[IMAGE_EV_BUILT]           = VERSION_SUCCESSFUL,
		[IMAGE_EV_BUILD_FAILED]    = VERSION_FAILED,
	},
	[VERSION_SUCCESSFUL] = {
		[IMAGE_EV_ACTIVATE]        = VERSION_SUCCESSFUL,
		[IMAGE_EV_DEACTIVATE]      = VERSION_SUCCESSFUL,
		[IMAGE_EV_DELETE_VERSION]  = VERSION_DELETING,
		[IMAGE_EV_REMOVED]         = VERSION_DELETING,
	},
	[VERSION_FAILED] = {
		[IMAGE_EV_DEACTIVATE]      = VERSION_FAILED,
		[IMAGE_EV_DELETE_VERSION]  = VERSION_DELETING,
		[IMAGE_EV_REMOVED]         = VERSION_DELETING,
	},
	[VERSION_DELETING] = {
		[IMAGE_EV_VERSION_REMOVED] = VERSION_DELETING,
		[IMAGE_EV_REMOVED]         = VERSION_DELETING,
	},
};

static const enum build_state build_steps[BUILD_NUM_STATES][IMAGE_NUM_EVENTS] = {
	[BUILD_NEW] = {
		[IMAGE_EV_CREATE]          = BUILD_PENDING,
		[IMAGE_EV_UPDATE]          = BUILD_PENDING,
		[IMAGE_EV_REBUILD]         = BUILD_PENDING,
	},
	[BUILD_PENDING] = {
		[IMAGE_EV_BUILD_BEGINS]    = BUILD_IN_PROGRESS,
		[IMAGE_EV_BUILD_FAILED]    = BUILD_FAILED,
	},
	[BUILD_IN_PROGRESS] = {
		[IMAGE_EV_BUILT]           = BUILD_SUCCESSFUL,
		[IMAGE_EV_BUILD_FAILED]    = BUILD_FAILED,
	},
};

/* What ends the sentence. */
enum refusal_tail { TAIL_STATE, TAIL_ARN };

/* What the service says while an image is CREATING, UPDATING or DELETING.  The other events are
 * asked for by nobody: their refusal is only logged. */
static const struct {
	enum err_kind kind;
	enum refusal_tail tail;
	const char *text;
} image_refusals[IMAGE_NUM_EVENTS] = {
	[IMAGE_EV_UPDATE]          = { ERR_INVALID, TAIL_ARN, "Cannot update MicroVM Image in its current state: " },
	[IMAGE_EV_REBUILD]         = { ERR_CONFLICT, TAIL_STATE, "MicroVM Image is already in state: " },
	[IMAGE_EV_ACTIVATE]        = { ERR_CONFLICT, TAIL_STATE, "MicroVM Image is already in state: " },
	[IMAGE_EV_DEACTIVATE]      = { ERR_CONFLICT, TAIL_STATE, "MicroVM Image is already in state: " },
	[IMAGE_EV_DELETE_VERSION]  = { ERR_CONFLICT, TAIL_STATE, "MicroVM Image is already in state: " },
	[IMAGE_EV_DELETE]          = { ERR_INVALID, TAIL_ARN, "Cannot delete MicroVM image in its current state: " },
};
/* clang-format on */

static int steps_refuse_image(const struct control *ctl, enum image_event event,
			      const struct image *image, struct err *e)
{
	const char *text = image_refusals[event].text;
	autofree char *arn = model_image_arn(ctl, image);

	if (!text)
		return err_set(e, ERR_CONFLICT, "The image %s is in state: %s", image->name,
			       image_state_name[image->state]);
	return err_set(e, image_refusals[event].kind, "%s%s", text,
		       image_refusals[event].tail == TAIL_ARN ? arn
							      : image_state_name[image->state]);
}

static int steps_refuse_version(enum image_event event, const struct image_version *v,
				struct err *e)
{
	const char *state = version_state_name[v->state];

	if (event == IMAGE_EV_ACTIVATE)
		return err_set(e, ERR_INVALID,
			       "Only a SUCCESSFUL version can be ACTIVE; this one is in state: %s",
			       state);
	return err_set(e, ERR_CONFLICT, "The version %lld.0 of image %s is in state: %s",
		       (long long)v->number, v->image->name, state);
}

int steps_next(const struct control *ctl, enum image_event event, const struct image_subject *of,
	       struct image_states *to, struct err *e)
{
	const struct image_version *v = of->version;
	const struct build *b = of->build;

	*to = (struct image_states){
		.image = image_steps[of->image->state][event],
		.version = v ? version_steps[v->state][event] : VERSION_NEW,
		.build = b ? build_steps[b->state][event] : BUILD_NEW,
	};
	if (to->image == IMAGE_NEW)
		return steps_refuse_image(ctl, event, of->image, e);
	if (v && to->version == VERSION_NEW)
		return steps_refuse_version(event, v, e);
	if (b && to->build == BUILD_NEW)
		return err_set(e, ERR_CONFLICT, "The build %s is in state: %s", b->id,
			       build_state_name[b->state]);
	return 0;
}

bool steps_done_already(enum image_event event, const struct image_subject *of)
{
	return (event == IMAGE_EV_DELETE && of->image->state == IMAGE_DELETING) ||
	       (event == IMAGE_EV_DELETE_VERSION && of->version->state == VERSION_DELETING);
}
