/* agent.h - takes the host's requests and hands each to the file that serves it. */
#ifndef GUEST_AGENT_H
#define GUEST_AGENT_H

#include "guest/hostlink.h"

/* Serve the host.  Returns only if the loop itself fails. */
int agent_run(const struct hostlink *host, struct err *e) must_check;

#endif
