#include "priv/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"

#define CG_TEXT_MAX   (1 * MIB)
#define CG_PERIOD_US  100000
#define CG_WARN_TRIES 500

static int cg_write(const char *dir, const char *file, const char *value)
{
	autofree char *path = xasprintf("%s/%s", dir, file);
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : io_write_full(fd, value, strlen(value));
}

static int cg_write_number(const char *dir, const char *file, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return cg_write(dir, file, text);
}

/* Reads the file into *b, NUL-terminated; "" if it cannot be read. */
static const char *cg_read(const char *dir, const char *file, struct buf *b)
{
	autofree char *path = *dir ? xasprintf("%s/%s", dir, file) : xstrdup(file);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	buf_clear(b);
	if (fd < 0 || io_read_all(fd, b, CG_TEXT_MAX))
		buf_clear(b);
	return buf_str(b);
}

/* Reads the record of an earlier start: one line "tree directory" each. All directories must still
 * be there. */
static bool cg_recall(struct cgroups *g)
{
	autobuf struct buf text = { 0 };
	char *lines, *line;
	bool any = false;

	cg_read("", g->record, &text);
	lines = buf_str(&text);
	while ((line = strsep(&lines, "\n"))) {
		char *name = strsep(&line, " ");

		for (enum cg_tree t = 0; line && t < CG_NUM_TREES; t++) {
			if (strcmp(name, cg_tree_name[t]) != 0)
				continue;
			free(g->base[t]);
			g->base[t] = xstrdup(line);
			any = true;
		}
	}
	for (enum cg_tree t = 0; t < CG_NUM_TREES; t++)
		if (g->base[t] && access(g->base[t], F_OK))
			any = false;
	for (enum cg_tree t = 0; !any && t < CG_NUM_TREES; t++) {
		free(g->base[t]);
		g->base[t] = NULL;
	}
	return any;
}

static int cg_record(const struct cgroups *g, struct err *e)
{
	autobuf struct buf text = { 0 };
	autoclose int fd = open(g->record, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	for (enum cg_tree t = 0; t < CG_NUM_TREES; t++)
		if (g->base[t])
			buf_addf(&text, "%s %s\n", cg_tree_name[t], g->base[t]);
	if (fd < 0 || io_write_full(fd, text.data, text.size))
		return err_sys(e, "write '%s'", g->record);
	return 0;
}

static void cg_find(struct cgroups *g, const char *group)
{
	autobuf struct buf mounts = { 0 }, self = { 0 };
	struct cg_places places;

	cg_read("", "/proc/self/mountinfo", &mounts);
	cg_read("", "/proc/self/cgroup", &self);
	cg_places_find(&places, buf_str(&mounts), buf_str(&self));
	for (enum cg_tree t = 0; t < CG_NUM_TREES; t++)
		if (places.dir[t])
			g->base[t] = xasprintf("%s/%s", places.dir[t], group);
	cg_places_free(&places);
}

/* In version 2 a group can limit only the controllers that its parent hands down. */
static int cg_hand_down(const char *base, struct err *e)
{
	autofree char *parent = xstrdup(base);
	const char *controllers = "+memory +cpu +pids";
	int rc;

	*strrchr(parent, '/') = '\0';
	rc = cg_write(parent, "cgroup.subtree_control", controllers);
	rc = rc ? rc : cg_write(base, "cgroup.subtree_control", controllers);
	errno = -rc;
	if (rc == -EBUSY)
		return err_set(e, ERR_INTERNAL,
			       "the cgroup '%s' holds processes of its own: start dozed in another",
			       parent);
	return rc ? err_sys(e, "hand memory, cpu and pids down in '%s'", parent) : 0;
}

static int cg_use_unified(struct cgroups *g, struct err *e)
{
	autobuf struct buf text = { 0 };
	autofree char *parent = NULL;
	bool any = false;

	if (!g->base[CG_UNIFIED])
		return 0;
	parent = xstrdup(g->base[CG_UNIFIED]);
	*strrchr(parent, '/') = '\0';
	cg_read(parent, "cgroup.controllers", &text);
	for (enum cg_tree t = 0; t < CG_NUM_CONTROLLERS; t++) {
		g->in_unified[t] =
			!g->base[t] && cg_has_word(buf_str(&text), cg_tree_name[t], " \n");
		any |= g->in_unified[t];
	}
	return any ? cg_hand_down(g->base[CG_UNIFIED], e) : 0;
}

int cgroups_open(struct cgroups *g, struct loop *l, const char *run_dir, const char *group,
		 struct err *e)
{
	*g = (struct cgroups){ .loop = l, .record = xasprintf("%s/cgroups", run_dir) };
	if (!cg_recall(g))
		cg_find(g, group);
	for (enum cg_tree t = 0; t < CG_NUM_TREES; t++)
		if (g->base[t] && mkdir(g->base[t], 0755) && errno != EEXIST)
			return err_sys(e, "make the cgroup '%s'", g->base[t]);
	if (cg_use_unified(g, e))
		return -1;
	for (enum cg_tree t = 0; t < CG_NUM_CONTROLLERS; t++)
		if (!g->base[t] && !g->in_unified[t])
			return err_set(e, ERR_INTERNAL, "this host has no cgroup controller '%s'",
				       cg_tree_name[t]);
	return cg_record(g, e);
}

void cgroups_close(struct cgroups *g, bool remove)
{
	for (enum cg_tree t = 0; t < CG_NUM_TREES; t++) {
		if (remove && g->base[t] && rmdir(g->base[t]))
			log_warn("a cgroup stays behind path=%s: %s", g->base[t], strerror(errno));
		free(g->base[t]);
	}
	if (remove)
		unlink(g->record);
	free(g->record);
	*g = (struct cgroups){ 0 };
}

void cgroups_each(const struct cgroups *g, void (*seen)(const char *name, void *arg), void *arg)
{
	for (enum cg_tree t = 0; t < CG_NUM_TREES; t++) {
		DIR *dir = g->base[t] ? opendir(g->base[t]) : NULL;
		struct dirent *entry;

		while (dir && (entry = readdir(dir)))
			if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
				seen(entry->d_name, arg);
		if (dir)
			closedir(dir);
	}
}

/* Swap is limited too; a kernel without swap accounting lacks that file. */
static int cg_limit_memory(const struct cgroups *g, const char *dir, uint64_t bytes)
{
	const char *swap =
		g->in_unified[CG_MEMORY] ? "memory.swap.max" : "memory.memsw.limit_in_bytes";
	int rc = cg_write_number(
		dir, g->in_unified[CG_MEMORY] ? "memory.max" : "memory.limit_in_bytes", bytes);
	int rc_swap = cg_write_number(dir, swap, g->in_unified[CG_MEMORY] ? 0 : bytes);

	return rc ? rc : rc_swap == -ENOENT ? 0 : rc_swap;
}

static int cg_limit_cpu(const struct cgroups *g, const char *dir, uint32_t percent)
{
	uint64_t quota = (uint64_t)percent * CG_PERIOD_US / 100;
	char both[48];
	int rc;

	if (g->in_unified[CG_CPU]) {
		snprintf(both, sizeof(both), "%llu %d", (unsigned long long)quota, CG_PERIOD_US);
		return cg_write(dir, "cpu.max", both);
	}
	rc = cg_write_number(dir, "cpu.cfs_period_us", CG_PERIOD_US);
	return rc ? rc : cg_write_number(dir, "cpu.cfs_quota_us", quota);
}

static char *cg_dir(const struct cgroups *g, enum cg_tree tree, const char *name)
{
	if (tree < CG_NUM_CONTROLLERS && g->in_unified[tree])
		tree = CG_UNIFIED;
	return g->base[tree] ? xasprintf("%s/%s", g->base[tree], name) : NULL;
}

int cgroup_make(const struct cgroups *g, const char *name, const struct cgroup_limits *limits,
		struct err *e)
{
	autofree char *memory = cg_dir(g, CG_MEMORY, name), *cpu = cg_dir(g, CG_CPU, name);
	autofree char *pids = cg_dir(g, CG_PIDS, name);
	int rc = 0;

	for (enum cg_tree t = 0; t < CG_NUM_TREES; t++) {
		autofree char *dir = g->base[t] ? cg_dir(g, t, name) : NULL;

		if (dir && mkdir(dir, 0755) && errno != EEXIST)
			return err_sys(e, "make the cgroup '%s'", dir);
	}
	rc = cg_limit_memory(g, memory, limits->memory_bytes);
	rc = rc ? rc : cg_limit_cpu(g, cpu, limits->cpu_percent);
	rc = rc ? rc : cg_write_number(pids, "pids.max", limits->pids);
	errno = -rc;
	return rc ? err_sys(e, "limit the cgroup '%s'", name) : 0;
}

int cgroup_enter(const struct cgroups *g, const char *name, struct err *e)
{
	for (enum cg_tree t = 0; t < CG_NUM_TREES; t++) {
		autofree char *dir = g->base[t] ? cg_dir(g, t, name) : NULL;
		int rc = dir ? cg_write(dir, "cgroup.procs", "0") : 0;

		errno = -rc;
		if (rc)
			return err_sys(e, "enter the cgroup '%s'", dir);
	}
	return 0;
}

bool cgroup_oom(const struct cgroups *g, const char *name)
{
	autofree char *dir = cg_dir(g, CG_MEMORY, name);
	autobuf struct buf text = { 0 };
	const char *count;

	cg_read(dir, g->in_unified[CG_MEMORY] ? "memory.events" : "memory.oom_control", &text);
	count = strstr(buf_str(&text), "oom_kill ");
	return count && strtoul(count + strlen("oom_kill "), NULL, 10) > 0;
}

static void cg_kill_each(const char *dir)
{
	autobuf struct buf text = { 0 };
	char *lines, *line;

	cg_read(dir, "cgroup.procs", &text);
	lines = buf_str(&text);
	while ((line = strsep(&lines, "\n"))) {
		long pid = strtol(line, NULL, 10);

		if (pid > 1)
			kill((pid_t)pid, SIGKILL);
	}
}

/* Version 2 kills a group in one step. Without it the group is frozen while its processes are
 * killed one by one, and the next try kills a child that was forked meanwhile. */
static void cg_kill_all(const struct cgroups *g, const char *name)
{
	autofree char *unified = cg_dir(g, CG_UNIFIED, name);
	autofree char *freezer = cg_dir(g, CG_FREEZER, name);

	if (unified && !cg_write(unified, "cgroup.kill", "1"))
		return;
	if (freezer)
		(void)!cg_write(freezer, "freezer.state", "FROZEN");
	for (enum cg_tree t = 0; t < CG_NUM_TREES; t++) {
		autofree char *dir = g->base[t] ? cg_dir(g, t, name) : NULL;

		if (dir)
			cg_kill_each(dir);
	}
	if (freezer)
		(void)!cg_write(freezer, "freezer.state", "THAWED");
}

bool cgroup_kill(const struct cgroups *g, const char *name)
{
	bool gone = true;

	cg_kill_all(g, name);
	for (enum cg_tree t = 0; t < CG_NUM_TREES; t++) {
		autofree char *dir = g->base[t] ? cg_dir(g, t, name) : NULL;

		if (dir && rmdir(dir) && errno != ENOENT)
			gone = false;
	}
	return gone;
}

bool cgroup_kill_wait(const struct cgroups *g, const char *name, int64_t at_most_ms)
{
	int64_t until = clock_mono_ms() + at_most_ms;

	while (!cgroup_kill(g, name)) {
		if (clock_mono_ms() > until)
			return false;
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	}
	return true;
}

static void cgroup_end_try(struct timer *t)
{
	struct cgroup_end *end = container_of(t, struct cgroup_end, timer);

	if (cgroup_kill(end->groups, end->name)) {
		end->gone(end);
		return;
	}
	if (++end->tries % CG_WARN_TRIES == 0)
		log_warn("processes do not end cgroup=%s tries=%u", end->name, end->tries);
	loop_timer(end->groups->loop, &end->timer, end->tries < 20 ? 2 : 20, cgroup_end_try);
}

void cgroup_end(struct cgroup_end *end, const struct cgroups *g, const char *name,
		void (*gone)(struct cgroup_end *end))
{
	*end = (struct cgroup_end){ .groups = g, .gone = gone };
	snprintf(end->name, sizeof(end->name), "%s", name);
	loop_timer(g->loop, &end->timer, 0, cgroup_end_try);
}
