/* traffic.h - what the proxy says of a microVM: somebody waits for it, bytes passed, it is held. */
#ifndef CONTROL_MICROVM_TRAFFIC_H
#define CONTROL_MICROVM_TRAFFIC_H

#include "control/channels/routes.h"

extern const struct routes_ops microvm_routes_ops;

#endif
