/* audit.h - a call of the API as an event: who, what, when, from where, and how it ended.
 *
 * Of what a call says, and of what it is told, an event has the members that a list here names, and
 * no others: no secret, no payload, no token. */
#ifndef CONTROL_API_AUDIT_H
#define CONTROL_API_AUDIT_H

#include "control/api/call.h"

/* The call has its answer, in c->end. */
void audit_call(const struct call *c);

#endif
