/* steps.h - which state of a network connector and of a version of it follows which (service.md
 * 15.2).
 *
 *   connector  (create) PENDING -> ACTIVE | FAILED, ACTIVE <-> INACTIVE, -> DELETING -> (gone)
 *   version    PENDING -> ACTIVE | FAILED, ACTIVE <-> INACTIVE
 *
 * An event is legal if the tables of all rows that it concerns have a step for it.  These are pure
 * functions; change.c takes the steps. */
#ifndef CONTROL_CONNECTORS_STEPS_H
#define CONTROL_CONNECTORS_STEPS_H

#include "control/model/connector.h"

enum connector_event {
	CONNECTOR_EV_CREATE,
	CONNECTOR_EV_UPDATE, /* a next version, or the same one where nothing is changed */
	CONNECTOR_EV_TAG,
	CONNECTOR_EV_USE, /* by a microVM or an image: it changes nothing */
	CONNECTOR_EV_DELETE_VERSION,
	CONNECTOR_EV_DELETE,
	/* Of the world. */
	CONNECTOR_EV_READY, /* the networks of a new version are there */
	CONNECTOR_EV_UNFIT, /* one of them is not */
	CONNECTOR_EV_LOST,  /* a network of a version that was made has gone */
	CONNECTOR_EV_FOUND, /* and is there again */
	CONNECTOR_EV_REMOVED,
	CONNECTOR_NUM_EVENTS,
};

struct connector_states {
	enum connector_state connector, version;
};

/* The states after @event; @v is NULL where it is about no version.  What befalls a version that is
 * not in effect leaves the connector as it is.  A refusal names the connector. */
int connector_next(const struct control *ctl, enum connector_event event,
		   const struct connector *connector, const struct connector_version *v,
		   struct connector_states *to, struct err *e) must_check;

/* What is asked for is already under way: the answer is yes, and nothing is done. */
bool connector_done_already(enum connector_event event, const struct connector *connector);

#endif
