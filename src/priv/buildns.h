/* buildns.h - the namespaces in which a build runs: user, mount, pid, net, ipc, uts.
 *
 * The build is root inside and the build user outside; ranges of ids are mapped for the files that
 * it unpacks: all up to 2294767294, and the last 65536. It has the network of a slot and cgroups of
 * its own, and /sys shows its own interfaces. */
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
	uint32_t map_first, map_count; /* outside, for the ids from 1 */
	struct {
		uint32_t first, count;
	} taken[3]; /* ids outside that no other id of a build may be: builds', machines', its own
		     */
	int fds[BUILD_NUM_FDS];
	int status; /* status.h */
};

/* Runs in a child, which waits for the build and exits with its status. @plan is a struct
 * buildns_plan. */
int buildns_run(void *plan);

#endif
