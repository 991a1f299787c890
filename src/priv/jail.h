/* jail.h - what confines a machine's process before it executes doze-qemu or doze-vmm.
 *
 * Both have a user of their own without capabilities or new privileges, the network of their slot,
 * their own mount, pid, ipc and uts namespaces, and their own cgroups. They are children of neither
 * priv nor dozed, because their parent ends before they start.
 *
 * doze-qemu gets a root of read-only binds without any data of the host, and a filter of system
 * calls. doze-vmm gets an empty root (it is executed by descriptor) and a user namespace that maps
 * its own user only; it installs a filter for each of its threads itself. */
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
	const char *log_path;   /* its stderr; priv's own if the file cannot be opened */
	uint32_t vcpus;
	uint64_t memory_mib;
	bool boots;       /* a kernel, as the machines of builds do */
	uid_t uid;        /* and gid */
	int sock, stream; /* listening, enum machine_fd */
	int status;       /* status.h: STARTED is sent on it */
};

/* Runs in a child, which starts the machine's process and exits with 0, or reports why it cannot.
 * @plan is a struct jail_plan. */
int jail_start(void *plan);

#endif
