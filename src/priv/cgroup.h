/* cgroup.h - the groups of machines and builds: one interface for version 1, version 2 and the
 * hybrid.
 *
 * A group has the name of what it holds ("m-<uuid>") and lies below <ours>/doze[-instance], so that
 * it survives the end of dozed's own group. <run_dir>/cgroups records where groups were first made,
 * so that a dozed that is started from elsewhere finds them again. */
#ifndef PRIV_CGROUP_H
#define PRIV_CGROUP_H

#include "base/loop.h"
#include "priv/cgroup_discover.h"

struct cgroups {
	struct loop *loop;
	char *record;             /* path of <run_dir>/cgroups */
	char *base[CG_NUM_TREES]; /* owned; NULL: not used */
	bool in_unified[CG_NUM_CONTROLLERS];
};

struct cgroup_limits {
	uint64_t memory_bytes;
	uint32_t cpu_percent; /* 100 is one core */
	uint32_t pids;
};

int cgroups_open(struct cgroups *g, struct loop *l, const char *run_dir, const char *group,
		 struct err *e) must_check;
void cgroups_close(struct cgroups *g, bool remove);
/* Calls @seen(name, arg) for each group that exists. */
void cgroups_each(const struct cgroups *g, void (*seen)(const char *name, void *arg), void *arg);

int cgroup_make(const struct cgroups *g, const char *name, const struct cgroup_limits *limits,
		struct err *e) must_check;
/* Moves the calling process into the group, in all trees. */
int cgroup_enter(const struct cgroups *g, const char *name, struct err *e) must_check;
bool cgroup_oom(const struct cgroups *g, const char *name);
/* Kills every process in the group and tries once to remove it; true when it is gone. */
bool cgroup_kill(const struct cgroups *g, const char *name);
/* Repeats that for at most @at_most_ms. It blocks, so it is only for the time before the loop runs.
 */
bool cgroup_kill_wait(const struct cgroups *g, const char *name, int64_t at_most_ms);

/* Repeats that from the loop until the group is gone. The struct is embedded in the one that waits.
 */
struct cgroup_end {
	struct timer timer;
	const struct cgroups *groups;
	char name[80];
	unsigned tries;
	void (*gone)(struct cgroup_end *end);
};

void cgroup_end(struct cgroup_end *end, const struct cgroups *g, const char *name,
		void (*gone)(struct cgroup_end *end));

#endif
