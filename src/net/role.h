/* role.h - the start and the end of a role on a libuv loop. What the supervisor hands over
 * (ipc/super.h) arrives as calls. The main function of a role is:
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

/* All of these are called from the loop. A NULL member is not wanted, and its descriptor is closed.
 * The called function owns the descriptors. */
struct role_events {
	/* @text ends with a NUL and is wiped after the call. A secret may come again and replaces
	 * the first. */
	void (*secret)(void *arg, enum secret which, const char *text, size_t size);
	void (*listener)(void *arg, enum listener which, uint16_t port, int fd);
	/* @fd is a SEQPACKET socket to that role, and to that worker of the proxy. A new one
	 * replaces the last one, which is dead. */
	void (*peer)(void *arg, enum role which, unsigned worker, int fd);
	/* Everything is handed over: the role starts to serve and then calls role_ready.
	 * @endpoint_port is the port that the endpoints got, which may differ from the
	 * configuration, and @workers how many proxies serve them. */
	void (*start)(void *arg, uint16_t endpoint_port, unsigned workers);
	/* The role finishes what must be finished and then calls role_finish. NULL: it finishes at
	 * once. */
	void (*stop)(void *arg, bool keep_machines);
	/* Another process does the work from now on.  The role takes nothing new, finishes what it
	 * has, and then calls role_finish. */
	void (*drain)(void *arg);
	/* Memory that the workers share (ipc/share.h), and which of them this is. */
	void (*shares)(void *arg, unsigned worker, int fd);
	void (*log)(void *arg, int fd); /* the access log, in the place of the last one */
};

/* Takes @super_fd over. */
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
