/* daemon.h - the daemon of this instance, as its pid file shows it. */
#ifndef CLI_DAEMON_H
#define CLI_DAEMON_H

#include <sys/types.h>

#include "base/base.h"

struct client;

struct supervisor {
	pid_t pid; /* 0: none lives */
	bool stopping;
};

struct supervisor daemon_supervisor(const struct client *c);
/* Names the place where the daemon's log is.  Owned by the caller. */
char *daemon_log(const struct client *c);

#endif
