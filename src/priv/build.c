#include "priv/build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "priv/buildns.h"
#include "priv/enders.h"
#include "priv/status.h"

#define BUILD_MAX_ARGS 512

enum build_state {
	BUILD_WAITS,  /* for the layer store, then for a slot; nothing of the build exists yet */
	BUILD_STARTS, /* its child exists and has not executed the program yet */
	BUILD_RUNS,
	BUILD_IS_ENDING, /* its cgroup is not gone yet */
};

struct build {
	struct list in;
	struct priv *priv;
	enum build_state state;
	bool told; /* the starter has been told that the build runs */
	struct priv_build what;
	char *args, **argv;
	int fds[BUILD_NUM_FDS];
	struct request starter;
	struct layer_store_wait layers;
	struct slot_wait wait;
	int slot;
	struct child child;
	struct status status;
	struct cgroup_end group_end;
	bool group_gone;
	struct priv_build_gone gone;
	struct list enders;
};

static const char *const build_programs[] = {
	[PRIV_PROGRAM_BUILD_STEP] = "doze-build-step",
};
static_assert(ARRAY_SIZE(build_programs) == PRIV_NUM_PROGRAMS, "one row per program");

static struct build *build_find(struct priv *p, const char *id)
{
	list_each(b, &p->builds, struct build, in)
	{
		if (!strcmp(b->what.build, id))
			return b;
	}
	return NULL;
}

static void build_free(struct build *b)
{
	struct priv *p = b->priv;

	if (b->told)
		(void)!priv_notify(p, PRIV_OWNER_IMAGE, PRIV_BUILD_GONE, &b->gone, sizeof(b->gone));
	enders_done(p, &b->enders);
	for (unsigned i = 0; i < BUILD_NUM_FDS; i++)
		fd_close(&b->fds[i]);
	list_del(&b->in);
	free(b->argv);
	free(b->args);
	free(b);
}

/* The process and the cgroup end in either order; the build is over when both are gone. */
static void build_cleared(struct build *b)
{
	if (b->child.pid || !b->group_gone)
		return;
	log_info("a build ended build=%s status=%d", b->what.build, b->gone.status);
	slot_give(&b->priv->slots, (uint32_t)b->slot);
	build_free(b);
}

static void build_group_gone(struct cgroup_end *end)
{
	struct build *b = container_of(end, struct build, group_end);

	b->group_gone = true;
	build_cleared(b);
}

/* The group counts what was killed for memory, so it is read before the group goes. */
static void build_to_end(struct build *b)
{
	if (b->state == BUILD_IS_ENDING)
		return;
	b->state = BUILD_IS_ENDING;
	status_close(&b->status);
	b->gone.oom = cgroup_oom(&b->priv->groups, b->what.build);
	child_kill(&b->child);
	cgroup_end(&b->group_end, &b->priv->groups, b->what.build, build_group_gone);
}

static void build_fail(struct build *b, const struct err *e)
{
	log_err("a build does not start build=%s cause='%s'", b->what.build, e->text);
	priv_refuse(b->priv, &b->starter, e);
	build_to_end(b);
}

static void build_runs(struct build *b)
{
	status_close(&b->status);
	b->state = BUILD_RUNS;
	b->told = true;
	log_info("a build runs build=%s slot=%d pid=%d", b->what.build, b->slot, b->child.pid);
	priv_done(b->priv, &b->starter);
}

static void build_status(struct status *s)
{
	struct build *b = container_of(s, struct build, status);
	static struct ipc_msg m;
	struct err e;

	switch (status_next(s, &m, &e)) {
	case STATUS_SAYS_NOTHING:
		return;
	case STATUS_SAYS_STARTED: /* only machines send it */
		ipc_msg_close(&m);
		err_set(&e, ERR_INTERNAL, "its start sent a message that only machines send");
		build_fail(b, &e);
		return;
	case STATUS_SAYS_FAULT:
		build_fail(b, &e);
		return;
	case STATUS_SAYS_RUNS:
		build_runs(b);
		return;
	}
}

/* A short build may be over before its start has been read. If the child died before it executed
 * its program, there may be neither a message nor an end of file, because a process below it still
 * holds the socket. */
static void build_ended(struct child *c, int status)
{
	struct build *b = container_of(c, struct build, child);
	struct err e;

	b->gone.status = status;
	if (b->state == BUILD_STARTS)
		build_status(&b->status);
	if (b->state == BUILD_STARTS) {
		err_set(&e, ERR_INTERNAL, "its process died before it ran (wait status %d)",
			status);
		build_fail(b, &e);
	}
	build_to_end(b);
	build_cleared(b);
}

static int build_launch(struct build *b, int status, struct err *e)
{
	struct priv *p = b->priv;
	autofree char *netns = slot_netns_path(&p->slots, (uint32_t)b->slot);
	autofree char *program =
		xasprintf("%s/%s", p->conf->libexec_dir, build_programs[b->what.program]);
	struct buildns_plan plan = {
		.groups = &p->groups,
		.build = b->what.build,
		.netns_path = b->what.internet == PRIV_NET_HOST ? NULL : netns,
		.program = program,
		.argv = b->argv,
		.uid = p->build_uid,
		.gid = p->build_gid,
		.map_first = (uint32_t)p->conf->build_map_first,
		.map_count = (uint32_t)p->conf->build_map_count,
		.taken = { { (uint32_t)p->conf->build_map_first,
			     (uint32_t)p->conf->build_map_count },
			   { (uint32_t)p->conf->uid_first, (uint32_t)p->conf->uid_count },
			   { p->build_uid, 1 } },
		.status = status,
	};

	memcpy(plan.fds, b->fds, sizeof(plan.fds));
	return child_start(p->loop, &b->child, buildns_run, &plan, build_ended, e);
}

/* The requester and the build both work in the directory: it keeps its owner and gets the build's
 * group (ipc/priv.h). */
static int build_give_dir(const struct build *b, struct err *e)
{
	const struct priv *p = b->priv;
	int dir = b->fds[BUILD_FD_DIR];
	struct stat st;

	if (fstat(dir, &st) || !S_ISDIR(st.st_mode) || st.st_uid != p->layers.owner)
		return err_set(e, ERR_INVALID,
			       "the build's directory does not belong to the requester");
	if (fchown(dir, (uid_t)-1, p->build_gid) || fchmod(dir, 02770))
		return err_sys(e, "give a build its directory");
	return 0;
}

static int build_make(struct build *b, struct err *e)
{
	struct priv *p = b->priv;
	struct cgroup_limits limits = { b->what.memory_bytes, b->what.cpu_percent, b->what.pids };
	autoclose int theirs = -1;
	int rc;

	if (build_give_dir(b, e))
		return -1;
	if (b->what.internet == PRIV_NET_NONE && slot_close(&p->slots, (uint32_t)b->slot, e))
		return -1;
	if (status_open(&b->status, p->loop, &theirs, build_status, e) ||
	    cgroup_make(&p->groups, b->what.build, &limits, e))
		return -1;
	rc = build_launch(b, theirs, e);
	for (unsigned i = 0; i < BUILD_NUM_FDS; i++)
		fd_close(&b->fds[i]);
	return rc;
}

static void build_got_slot(struct slot_wait *w, int slot, const struct err *why)
{
	struct build *b = container_of(w, struct build, wait);
	struct err e;

	if (slot < 0) {
		priv_refuse(b->priv, &b->starter, why);
		build_free(b);
		return;
	}
	host_setup_check(&b->priv->host);
	b->slot = slot;
	b->state = BUILD_STARTS;
	if (build_make(b, &e))
		build_fail(b, &e);
}

static void build_got_layers(struct layer_store_wait *w, const struct err *why)
{
	struct build *b = container_of(w, struct build, layers);

	if (why) {
		priv_refuse(b->priv, &b->starter, why);
		build_free(b);
	} else {
		slot_take(&b->priv->slots, &b->wait);
	}
}

static int build_check(struct priv *p, const struct priv_build *w, struct err *e)
{
	if (!names_id_valid(w->build, sizeof(w->build), 'b'))
		return err_set(e, ERR_INVALID, "this is not the name of a build");
	if (w->program >= PRIV_NUM_PROGRAMS || w->internet >= PRIV_NUM_NETS || !w->n_args ||
	    w->n_args > BUILD_MAX_ARGS || w->memory_bytes < 16 * MIB || w->cpu_percent < 1 ||
	    w->cpu_percent > 100000 || w->pids < 8 || w->pids > 4000000)
		return err_set(e, ERR_INVALID,
			       "the build's program, network or limits are out of range");
	if (p->stopping)
		return err_set(e, ERR_CONFLICT, "doze is stopping");
	if (build_find(p, w->build))
		return err_set(e, ERR_CONFLICT, "there is a build '%s'", w->build);
	return 0;
}

char **build_argv(char *bytes, size_t size, uint32_t n)
{
	char **argv;
	size_t at = 0;

	if (n > BUILD_MAX_ARGS)
		return NULL;
	argv = xcalloc((size_t)n + 1, sizeof(*argv));
	for (uint32_t i = 0; i < n; i++) {
		char *end = at < size ? memchr(bytes + at, '\0', size - at) : NULL;

		if (!end)
			goto bad;
		argv[i] = bytes + at;
		at = (size_t)(end - bytes) + 1;
	}
	if (at == size)
		return argv;
bad:
	free(argv);
	return NULL;
}

static struct build *build_new(struct priv *p, const struct request *a,
			       const struct priv_build *what, struct ipc_msg *m)
{
	struct build *b = xcalloc(1, sizeof(*b));

	b->priv = p;
	b->what = *what;
	b->starter = *a;
	b->status.sock = -1;
	memcpy(b->gone.build, what->build, sizeof(b->gone.build));
	list_init(&b->layers.in);
	list_init(&b->wait.in);
	list_init(&b->enders);
	b->layers.ready = build_got_layers;
	b->wait.got = build_got_slot;
	for (unsigned i = 0; i < BUILD_NUM_FDS; i++)
		b->fds[i] = ipc_msg_take_fd(m, i);
	list_add(&p->builds, &b->in);
	return b;
}

void build_start(struct priv *p, const struct request *a, struct ipc_msg *m)
{
	size_t size = m->head.size - sizeof(struct priv_build);
	autofree char *args = xmalloc(size + 1);
	char **argv;
	struct priv_build what;
	struct build *b;
	struct err e;

	memcpy(&what, m->body, sizeof(what));
	memcpy(args, m->body + sizeof(what), size);
	if (build_check(p, &what, &e)) {
		priv_refuse(p, a, &e);
		return;
	}
	argv = build_argv(args, size, what.n_args);
	if (!argv) {
		priv_refuse(
			p, a,
			(err_set(&e, ERR_INVALID, "the arguments are not %u strings", what.n_args),
			 &e));
		return;
	}
	b = build_new(p, a, &what, m);
	b->argv = argv;
	b->args = args;
	args = NULL;
	layer_store_want(&p->layers, &b->layers);
}

static void build_give_up(struct build *b)
{
	struct err e;

	if (b->state <= BUILD_STARTS)
		priv_refuse(b->priv, &b->starter,
			    (err_set(&e, ERR_CONFLICT, "it was ended before it ran"), &e));
	if (b->state == BUILD_WAITS) {
		layer_store_forget(&b->layers);
		slot_forget(&b->wait);
		build_free(b);
	} else {
		build_to_end(b);
	}
}

void build_end(struct priv *p, const struct request *a, struct ipc_msg *m)
{
	struct priv_build_id what;
	struct build *b;
	struct err e;

	memcpy(&what, m->body, sizeof(what));
	if (!names_id_valid(what.build, sizeof(what.build), 'b')) {
		priv_refuse(p, a,
			    (err_set(&e, ERR_INVALID, "this is not the name of a build"), &e));
		return;
	}
	b = build_find(p, what.build);
	if (!b) {
		priv_done(p, a);
		return;
	}
	enders_add(&b->enders, a);
	build_give_up(b);
}

void builds_end_all(struct priv *p)
{
	list_each(b, &p->builds, struct build, in) build_give_up(b);
}
