/* agent.h - what the host may ask of the guest, and who does it. */
#ifndef GUEST_AGENT_H
#define GUEST_AGENT_H

#include "guest/hostlink.h"

/* Serve the host; returns only if the loop itself fails. */
int agent_run(const struct hostlink *host, struct err *e) must_check;

#endif
