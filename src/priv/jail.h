/* jail.h - what a machine's process becomes before it is doze-qemu.
 *
 * A user of its own without capabilities or new privileges; a filter of system calls; its slot's
 * network; mount, pid, ipc and uts namespaces of its own; a root of read-only binds with nothing of
 * the host's data; its cgroups.  It belongs to neither priv nor dozed: its parent has ended before
 * it starts. */
#ifndef PRIV_JAIL_H
#define PRIV_JAIL_H

#include <sys/types.h>

#include "priv/cgroup.h"
#include "priv/filter.h"

struct jail_plan {
	const struct cgroups *groups;
	const struct filter *filter;
	const char *machine;    /* also the cgroup's name */
	const char *netns_path; /* of the slot */
	const char *stage;      /* an empty directory: the new root is put together there */
	const char *libexec;    /* bound at /libexec */
	const char *program;    /* in it */
	const char *monitor;    /* what it runs, by its path in /usr */
	const char *log_path;   /* its stderr; what cannot be opened is priv's own */
	uid_t uid;              /* and gid */
	int sock, stream;       /* listening, enum machine_fd */
	int status;             /* status.h: it tells STARTED */
};

/* For a child: start it and exit with 0, or tell why not.  @plan is a struct jail_plan. */
int jail_start(void *plan);

#endif
