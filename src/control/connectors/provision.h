/* provision.h - the networks of a connector's versions: those that the configuration names are
 * there. */
#ifndef CONTROL_CONNECTORS_PROVISION_H
#define CONTROL_CONNECTORS_PROVISION_H

#include "control/connectors/change.h"

/* Asks for the change that follows from the configuration, if any. */
void provision_look(struct control *ctl, struct connector *connector,
		    const struct connector_version *v);
void provision_look_by_number(struct control *ctl, struct connector *connector, int64_t version);

#endif
