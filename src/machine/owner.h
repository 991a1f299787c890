/* owner.h - a monitor's end of the machine protocol (ipc/machine.h), shared by all monitors: when
 * which request is served, who gets which event, and the final EXITED.
 *
 * It is embedded in the monitor's machine, which finds itself by container_of.  Owners come and go;
 * the bytes of the guest's agent wait for the next one (agent.h). */
#ifndef MACHINE_OWNER_H
#define MACHINE_OWNER_H

#include <stdarg.h>

#include "machine/agent.h"
#include "machine/peer.h"

struct owner;

struct owner_ops {
	const char *kind; /* of HELLO: "qemu", "vmm" */
	/* Handlers of requests, called only in a state that allows the request (serve.h).  NULL if
	 * this monitor does not support it. */
	void (*take[MACHINE_NUM_TYPES])(struct owner *o, struct ipc_msg *msg);
	const char *(*busy)(struct owner *o); /* the operation under way, NULL: none */
	void (*ending)(struct owner *o);      /* the machine ends: stop its guest for good */
};

struct owner {
	struct loop *loop;           /* borrowed */
	const struct owner_ops *ops; /* borrowed */
	struct agent *agent;         /* borrowed */
	struct peer peer;
	enum machine_run run;
	bool sealed; /* a save holds the agent's bytes, so owners get no more of them */
	struct timer doom;
};

/* @o is zero.  @listen_fd: machine.sock; borrowed. */
int owner_open(struct owner *o, struct loop *l, int listen_fd, const struct owner_ops *ops,
	       struct agent *agent, struct err *e) must_check;
void owner_close(struct owner *o);

void owner_ready(struct owner *o, uint64_t tag); /* READY */
/* Implements the agent's deliver(): false if no owner takes the frames now.  While the guest is
 * paused they are queued behind others, since it sends little and a save cannot wait for room. */
bool owner_deliver(struct owner *o, const uint8_t *frames, size_t size);
/* A row of `take`: MACHINE_AGENT. */
void owner_take_agent(struct owner *o, struct ipc_msg *msg);
/* For the agent's fault(): the owner is told. */
void owner_agent_broken(struct owner *o);
/* Last words, the first alone: the loop is stopped when they were heard, or after a while. */
void owner_end(struct owner *o, const char *fmt, va_list ap) printf_like(2, 0);

#endif
