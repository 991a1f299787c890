/* agent.h - the stream of the guest's agent (ipc/agent.h) on the vsock device, which doze-init
 * opens to port 1 of the host.  It is part of a snapshot: the header holds what the guest sent and
 * no owner took yet, and the state holds the stream's counters. */
#ifndef VMM_AGENT_H
#define VMM_AGENT_H

#include "machine/agent.h"
#include "vmm/dev/vsock.h"

struct vmm_agent {
	struct agent agent;     /* its deliver and fault are the caller's */
	struct vsock_conn conn; /* the guest's own stream, of vsock_init */
	bool putting;           /* the device hands bytes over and needs no notice of room */
};

extern const struct vsock_end_ops vmm_agent_ops;
void vmm_agent_init(struct vmm_agent *a);

#endif
