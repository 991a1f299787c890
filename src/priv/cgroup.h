/* cgroup.h - the groups of machines and builds, one interface over version 1, 2 and the hybrid.
 *
 * A group is named like what it holds ("m-<uuid>"), below <ours>/doze[-instance], so that an
 * end of dozed's own group ends none.  Where groups were first made stays written in
 * <run_dir>/cgroups: a dozed that is started from elsewhere finds them again. */
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
/* @seen(name, arg) for each group there is. */
void cgroups_each(const struct cgroups *g, void (*seen)(const char *name, void *arg), void *arg);

int cgroup_make(const struct cgroups *g, const char *name, const struct cgroup_limits *limits,
		struct err *e) must_check;
/* The calling process, into all trees. */
int cgroup_enter(const struct cgroups *g, const char *name, struct err *e) must_check;
bool cgroup_oom(const struct cgroups *g, const char *name);
/* Kill all in it and try to remove it once: true when it is gone. */
bool cgroup_kill(const struct cgroups *g, const char *name);
/* The same again and again for at most this long, blocking: before the loop runs. */
bool cgroup_kill_wait(const struct cgroups *g, const char *name, int64_t at_most_ms);

/* The same in the loop, until it is gone.  Embedded in who waits. */
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
