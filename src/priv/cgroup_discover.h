/* cgroup_discover.h - where our cgroups go, from what the kernel says of us.  Pure.
 *
 * Version 1 has a hierarchy for each controller, version 2 one for all, the hybrid both.  A
 * controller is used where it is mounted on its own, else in version 2 if it has it. */
#ifndef PRIV_CGROUP_DISCOVER_H
#define PRIV_CGROUP_DISCOVER_H

#include "base/base.h"

enum cg_tree { CG_MEMORY, CG_CPU, CG_PIDS, CG_FREEZER, CG_UNIFIED, CG_NUM_TREES };

#define CG_NUM_CONTROLLERS CG_FREEZER /* memory, cpu, pids: those that limit */

extern const char *const cg_tree_name[CG_NUM_TREES];

/* The directory of the group in which we were started, per tree; NULL: not mounted.  Below it
 * ours are made.  What systemd made is its own to end: there it is the mount's top.
 * @mountinfo and @self are the texts of /proc/self/mountinfo and /proc/self/cgroup. */
struct cg_places {
	char *dir[CG_NUM_TREES]; /* owned; cg_places_free */
};

void cg_places_find(struct cg_places *p, const char *mountinfo, const char *self);
void cg_places_free(struct cg_places *p);

/* @word is one of the words of @text, separated by @separators. */
bool cg_has_word(const char *text, const char *word, const char *separators);

#endif
