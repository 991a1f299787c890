/* metadata_lead.h - leads connections to METADATA_IP, port 80, to the agent's own listener
 * (metadata.h).  Nothing listens at that address: a program of ours runs in the kernel at each
 * connect, also of a socket of IPv6 that connects to an IPv4 address, as Java's do. */
#ifndef GUEST_METADATA_LEAD_H
#define GUEST_METADATA_LEAD_H

#include "base/base.h"

#define METADATA_IP   "169.254.169.254"
#define METADATA_PORT 80

/* False: the kernel leads nobody. */
bool metadata_lead(void) must_check;

#endif
