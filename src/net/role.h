/* role.h - the start and the end of a role on a libuv loop: what the supervisor hands over
 * (ipc/super.h) arrives as calls.  A role's main is:
 *
 *     struct role_link *r = role_open(uv_default_loop(), super_fd, &events, &state, &e);
 *     return r ? role_run(r) : 1;
 *
 * SIGPIPE is ignored from role_open on; SIGTERM and SIGINT are left to the supervisor. */
#ifndef NET_ROLE_H
#define NET_ROLE_H

#include <uv.h>

#include "base/err.h"
#include "ipc/super.h"

struct role_link;

/* All from the loop.  NULL: not wanted (a descriptor is closed).  Descriptors are the callee's. */
struct role_events {
	/* The text, with a NUL behind it; wiped after the call. May come again: replace. */
	void (*secret)(void *arg, enum secret which, const char *text, size_t size);
	void (*listener)(void *arg, enum listener which, uint16_t port, int fd);
	/* A SEQPACKET socket to that role; a new one replaces the last, which is dead. */
	void (*peer)(void *arg, enum role which, int fd);
	/* All is handed over: serve, and say role_ready then.  @endpoint_port is what the endpoints
	 * got, which may not be what the configuration says. */
	void (*start)(void *arg, uint16_t endpoint_port);
	/* Finish what must be finished, then role_finish. NULL: role_finish at once. */
	void (*stop)(void *arg, bool keep_machines);
};

/* Takes super_fd over. */
struct role_link *role_open(uv_loop_t *loop, int super_fd, const struct role_events *events,
			    void *arg, struct err *e) must_check;
void role_ready(struct role_link *r);
/* While `stop` takes its time: something was done, such as more bytes of a save.  The supervisor
 * ends a role that is silent for too long. */
void role_progress(struct role_link *r);
/* Until role_finish: 0; until the supervisor is gone: 1.  Frees *r. */
int role_run(struct role_link *r) must_check;
void role_finish(struct role_link *r);

#endif
