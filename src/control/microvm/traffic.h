/* traffic.h - what control does when the proxy says that a request waits for a microVM, that bytes
 * passed, or that requests are held. */
#ifndef CONTROL_MICROVM_TRAFFIC_H
#define CONTROL_MICROVM_TRAFFIC_H

#include "control/channels/routes.h"

extern const struct routes_ops microvm_routes_ops;

#endif
