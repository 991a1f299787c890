/* shell.h - shells in the application's container, each a session behind a terminal of its own
 * (ipc/shell.h).  A session outlives its connection and, as all of the guest, a suspend. */
#ifndef GUEST_SHELL_H
#define GUEST_SHELL_H

#include "base/loop.h"
#include "guest/app.h"

struct shells {
	struct loop *loop;     /* borrowed */
	const struct app *app; /* borrowed */
	struct list sessions;  /* struct shell, oldest first */
	struct list hosts;     /* struct shell_host, oldest first */
	size_t n_sessions, n_hosts;
	uint64_t made; /* so many so far: names their cgroups */
};

void shells_init(struct shells *s, struct loop *l, const struct app *app);

/* Take over a connection of the host that asked for a shell, and what came behind its line. */
void shells_take(struct shells *all, int fd, const uint8_t *early, size_t size);

/* A child ended. */
void shells_reaped(struct shells *all, int pid, int status);

/* After a restore the host's ends of all connections are gone.  The sessions stay. */
void shells_reset(struct shells *all);

#endif
