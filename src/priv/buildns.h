/* buildns.h - the namespaces in which a build runs: user, mount, pid, net, ipc, uts.
 *
 * The build is root there, and outside the build user; a range of ids is mapped for what it
 * unpacks.  Its network is a slot's, its cgroups are its own, /sys shows its own interfaces. */
#ifndef PRIV_BUILDNS_H
#define PRIV_BUILDNS_H

#include <sys/types.h>

#include "ipc/priv.h"
#include "priv/cgroup.h"

struct buildns_plan {
	const struct cgroups *groups;
	const char *build;      /* also the cgroup's name */
	const char *netns_path; /* NULL: the host's network */
	const char *program;    /* absolute */
	char *const *argv;
	uid_t uid;
	gid_t gid;
	uint32_t map_first, map_count;
	int fds[BUILD_NUM_FDS];
	int status; /* status.h */
};

/* For a child: it waits for the build and ends as it ended.  @plan is a struct buildns_plan. */
int buildns_run(void *plan);

#endif
