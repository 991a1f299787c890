/* agent.h - what the host may ask of the guest, and who does it. */
#ifndef GUEST_AGENT_H
#define GUEST_AGENT_H

#include "base/loop.h"

/* Serve the host on the open port @fd; returns only if the loop itself fails. */
int agent_run(int fd, struct err *e) must_check;

#endif
