/* steps.c - the tables of steps.h, and what is said where they have none. */

#include "control/connectors/steps.h"

/* A zero is no step: nothing becomes NEW. */
/* clang-format off */
static const enum connector_state connector_steps[CONNECTOR_NUM_STATES][CONNECTOR_NUM_EVENTS] = {
	[CONNECTOR_NEW] = {
		[CONNECTOR_EV_CREATE]         = CONNECTOR_PENDING,
	},
	[CONNECTOR_PENDING] = {
		[CONNECTOR_EV_TAG]            = CONNECTOR_PENDING,
		[CONNECTOR_EV_READY]          = CONNECTOR_ACTIVE,
		[CONNECTOR_EV_UNFIT]          = CONNECTOR_FAILED,
	},
	[CONNECTOR_ACTIVE] = {
		[CONNECTOR_EV_UPDATE]         = CONNECTOR_ACTIVE,
		[CONNECTOR_EV_TAG]            = CONNECTOR_ACTIVE,
		[CONNECTOR_EV_USE]            = CONNECTOR_ACTIVE,
		[CONNECTOR_EV_DELETE_VERSION] = CONNECTOR_ACTIVE,
		[CONNECTOR_EV_DELETE]         = CONNECTOR_DELETING,
		[CONNECTOR_EV_READY]          = CONNECTOR_ACTIVE,
		[CONNECTOR_EV_UNFIT]          = CONNECTOR_ACTIVE, /* the version in effect stays */
		[CONNECTOR_EV_LOST]           = CONNECTOR_INACTIVE,
	},
	[CONNECTOR_INACTIVE] = {
		[CONNECTOR_EV_TAG]            = CONNECTOR_INACTIVE,
		[CONNECTOR_EV_DELETE_VERSION] = CONNECTOR_INACTIVE,
		[CONNECTOR_EV_DELETE]         = CONNECTOR_DELETING,
		[CONNECTOR_EV_READY]          = CONNECTOR_ACTIVE,
		[CONNECTOR_EV_UNFIT]          = CONNECTOR_INACTIVE,
		[CONNECTOR_EV_FOUND]          = CONNECTOR_ACTIVE,
	},
	[CONNECTOR_FAILED] = {
		[CONNECTOR_EV_TAG]            = CONNECTOR_FAILED,
		[CONNECTOR_EV_DELETE]         = CONNECTOR_DELETING,
	},
	[CONNECTOR_DELETING] = {
		[CONNECTOR_EV_REMOVED]        = CONNECTOR_DELETING,
	},
};

static const enum connector_state version_steps[CONNECTOR_NUM_STATES][CONNECTOR_NUM_EVENTS] = {
	[CONNECTOR_NEW] = {
		[CONNECTOR_EV_CREATE]         = CONNECTOR_PENDING,
		[CONNECTOR_EV_UPDATE]         = CONNECTOR_PENDING,
	},
	[CONNECTOR_PENDING] = {
		[CONNECTOR_EV_READY]          = CONNECTOR_ACTIVE,
		[CONNECTOR_EV_UNFIT]          = CONNECTOR_FAILED,
	},
	[CONNECTOR_ACTIVE] = {
		[CONNECTOR_EV_USE]            = CONNECTOR_ACTIVE,
		[CONNECTOR_EV_DELETE_VERSION] = CONNECTOR_DELETING,
		[CONNECTOR_EV_LOST]           = CONNECTOR_INACTIVE,
	},
	[CONNECTOR_INACTIVE] = {
		[CONNECTOR_EV_DELETE_VERSION] = CONNECTOR_DELETING,
		[CONNECTOR_EV_FOUND]          = CONNECTOR_ACTIVE,
	},
	[CONNECTOR_FAILED] = {
		[CONNECTOR_EV_DELETE_VERSION] = CONNECTOR_DELETING,
	},
};

/* What is asked for; the other events are refused in a log alone. */
static const char *const connector_asks[CONNECTOR_NUM_EVENTS] = {
	[CONNECTOR_EV_UPDATE]         = "updated",
	[CONNECTOR_EV_TAG]            = "tagged",
	[CONNECTOR_EV_USE]            = "used",
	[CONNECTOR_EV_DELETE_VERSION] = "deleted",
	[CONNECTOR_EV_DELETE]         = "deleted",
};
/* clang-format on */

static int connector_refuse(const struct control *ctl, enum connector_event event,
			    const struct connector *connector, const struct connector_version *v,
			    struct err *e)
{
	autofree char *arn = model_connector_arn(ctl, connector);
	autofree char *version = v ? xasprintf(":%lld", (long long)v->number) : xstrdup("");
	const char *ask = connector_asks[event] ? connector_asks[event] : "changed";

	return err_set(e, ERR_CONFLICT,
		       "The network connector %s%s cannot be %s in its current state: %s", arn,
		       version, ask, connector_state_name[v ? v->state : connector->state]);
}

int connector_next(const struct control *ctl, enum connector_event event,
		   const struct connector *connector, const struct connector_version *v,
		   struct connector_states *to, struct err *e)
{
	bool old = v && v->state != CONNECTOR_NEW && v->state != CONNECTOR_PENDING &&
		   v != model_connector_current(connector) &&
		   connector->state != CONNECTOR_DELETING;

	to->connector = connector_steps[connector->state][event];
	if (old && (event == CONNECTOR_EV_LOST || event == CONNECTOR_EV_FOUND))
		to->connector = connector->state;
	to->version = v ? version_steps[v->state][event] : CONNECTOR_NEW;
	if (to->connector == CONNECTOR_NEW)
		return connector_refuse(ctl, event, connector, NULL, e);
	if (v && to->version == CONNECTOR_NEW)
		return connector_refuse(ctl, event, connector, v, e);
	return 0;
}

bool connector_done_already(enum connector_event event, const struct connector *connector)
{
	return event == CONNECTOR_EV_DELETE && connector->state == CONNECTOR_DELETING;
}
