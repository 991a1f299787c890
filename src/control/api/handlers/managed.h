/* managed.h - what the service itself owns: the managed base image, and the connectors. */
#ifndef CONTROL_API_HANDLERS_MANAGED_H
#define CONTROL_API_HANDLERS_MANAGED_H

#include "control/api/call.h"

/* The version text as read back ("1.0") of what a request names (NULL: the newest).  NULL: there is
 * none; the call has failed. */
const char *managed_base(struct call *c, const char *arn, const char *version);

enum direction { INGRESS, EGRESS };

/* Check a list of connectors (service.md 2.11, 15); false: the call has failed. */
bool managed_connectors_ok(struct call *c, const json_t *list, enum direction direction);
/* [<ARN of this managed connector>] */
json_t *managed_connector(const struct control *ctl, const char *name);

#endif
