/* jail.h - what a machine's process becomes before it is doze-qemu or doze-vmm.
 *
 * Both: a user of its own without capabilities or new privileges; its slot's network; mount, pid,
 * ipc and uts namespaces of its own; its cgroups.  It belongs to neither priv nor dozed: its parent
 * has ended before it starts.
 *
 * doze-qemu: a root of read-only binds with nothing of the host's data, and a filter of system
 * calls.  doze-vmm: a root with nothing in it (it is executed by descriptor), and a user namespace
 * that knows no user but its own; it brings filters for each of its threads. */
#ifndef PRIV_JAIL_H
#define PRIV_JAIL_H

#include <sys/types.h>

#include "ipc/priv.h"
#include "priv/cgroup.h"
#include "priv/seccomp_filter.h"

struct jail_plan {
	enum priv_machine_kind kind;
	const struct cgroups *groups;
	const struct seccomp_filter *filter;
	const char *machine;    /* also the cgroup's name */
	const char *netns_path; /* of the slot */
	const char *stage;      /* an empty directory: the new root is put together there */
	const char *libexec;    /* where the program is */
	const char *log_path;   /* its stderr; what cannot be opened is priv's own */
	uint32_t vcpus;
	uint64_t memory_mib;
	uid_t uid;        /* and gid */
	int sock, stream; /* listening, enum machine_fd */
	int status;       /* status.h: it tells STARTED */
};

/* For a child: start it and exit with 0, or tell why not.  @plan is a struct jail_plan. */
int jail_start(void *plan);

#endif
