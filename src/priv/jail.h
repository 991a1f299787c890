/* jail.h - what a machine's process becomes before it is doze-qemu.
 *
 * A user of its own without capabilities or new privileges; its slot's network; mount, pid, ipc
 * and uts namespaces of its own; a root of read-only binds with nothing of the host's data; its
 * cgroups.  It belongs to neither priv nor dozed: its parent has ended before it starts. */
#ifndef PRIV_JAIL_H
#define PRIV_JAIL_H

#include <sys/types.h>

#include "ipc/priv.h"
#include "priv/cgroup.h"

/* What the starting process tells priv on its status socket.  The end of the connection: the
 * machine's program runs. */
enum jail_type { JAIL_STARTED, JAIL_FAULT, JAIL_NUM_TYPES };

struct jail_started {
	int32_t pid; /* as priv sees it; a pidfd comes with it */
	uint32_t zero;
};

extern const struct ipc_row jail_rows[JAIL_NUM_TYPES];

struct jail_plan {
	const struct cgroups *groups;
	const char *machine;    /* also the cgroup's name */
	const char *netns_path; /* of the slot */
	const char *stage;      /* an empty directory: the new root is put together there */
	const char *libexec;    /* bound at /libexec */
	const char *program;    /* in it */
	const char *monitor;    /* what it runs, by its path in /usr */
	const char *log_path;   /* its stderr; what cannot be opened is priv's own */
	uid_t uid;              /* and gid */
	int sock, stream;       /* listening, enum machine_fd */
	int status;             /* SEQPACKET to priv */
};

/* For a child: start it and exit with 0, or tell why not.  @plan is a struct jail_plan. */
int jail_start(void *plan);

#endif
