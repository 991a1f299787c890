/* cgroup_discover.h - where our cgroups go, derived from what the kernel says about this process.
 * Pure.
 *
 * Version 1 has one hierarchy per controller, version 2 has one for all of them, and the hybrid has
 * both. A controller that is mounted on its own is used there, and any other one in version 2. */
#ifndef PRIV_CGROUP_DISCOVER_H
#define PRIV_CGROUP_DISCOVER_H

#include "base/base.h"

enum cg_tree { CG_MEMORY, CG_CPU, CG_PIDS, CG_FREEZER, CG_UNIFIED, CG_NUM_TREES };

#define CG_NUM_CONTROLLERS CG_FREEZER /* memory, cpu, pids: those that limit */

extern const char *const cg_tree_name[CG_NUM_TREES];

/* For each tree, the directory of the group in which this process was started, below which our
 * groups are made; NULL if the tree is not mounted. If systemd made that group, the directory is
 * the top of the mount instead, because systemd may end the groups that it has made. @mountinfo and
 * @self are the texts of /proc/self/mountinfo and /proc/self/cgroup. */
struct cg_places {
	char *dir[CG_NUM_TREES]; /* owned; cg_places_free */
};

void cg_places_find(struct cg_places *p, const char *mountinfo, const char *self);
void cg_places_free(struct cg_places *p);

/* Tells whether @word is one of the words of @text, which @separators separate. */
bool cg_has_word(const char *text, const char *word, const char *separators);

#endif
