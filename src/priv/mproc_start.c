/* mproc_start.c - the start of a machine, from the request through its slot to a running process.
 */

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/proc.h"
#include "priv/jail.h"
#include "priv/machine_dir.h"
#include "priv/mproc.h"

static void mproc_runs(struct mproc *m)
{
	struct err e;

	status_close(&m->status);
	if (!m->item.start_time || proc_start_time(m->item.pid) != m->item.start_time) {
		err_set(&e, ERR_INTERNAL,
			"its process ended at once; the machines' log may say why");
		mproc_fail(m, &e);
		return;
	}
	m->state = MPROC_LIVES;
	log_info("a machine runs machine=%s slot=%u pid=%d", m->item.machine, m->item.slot,
		 m->item.pid);
	priv_answer(m->priv, &m->starter, PRIV_MACHINE_STARTED, &m->item, sizeof(m->item));
}

static int mproc_told(struct mproc *m, struct ipc_msg *msg, struct err *e)
{
	struct status_started started;

	memcpy(&started, msg->body, sizeof(started));
	m->item.pid = started.pid;
	m->item.start_time = proc_start_time(started.pid);
	fd_close(&m->pidfd);
	m->pidfd = ipc_msg_take_fd(msg, 0);
	loop_unwatch(m->priv->loop, &m->pid_watch);
	if (mproc_watch(m, e))
		return -1;
	return machine_dir_set_pid(m->priv, &m->item, e);
}

static void mproc_status(struct status *s)
{
	struct mproc *m = container_of(s, struct mproc, status);
	static struct ipc_msg msg;
	enum status_says says;
	struct err e;

	while ((says = status_next(s, &msg, &e)) == STATUS_SAYS_STARTED) {
		int failed = mproc_told(m, &msg, &e);

		ipc_msg_close(&msg);
		if (failed) {
			mproc_fail(m, &e);
			return;
		}
	}
	if (says == STATUS_SAYS_RUNS)
		mproc_runs(m);
	else if (says == STATUS_SAYS_FAULT)
		mproc_fail(m, &e);
}

static int mproc_launch(struct mproc *m, const struct machine_dir_sockets *s, int status,
			struct err *e)
{
	struct priv *p = m->priv;
	autofree char *netns = slot_netns_path(&p->slots, m->item.slot);
	struct jail_plan plan = {
		.kind = (enum priv_machine_kind)m->what.kind,
		.groups = &p->groups,
		.filter = &p->filter,
		.machine = m->item.machine,
		.netns_path = netns,
		.stage = p->stage_dir,
		.libexec = p->conf->libexec_dir,
		.log_path = p->log_path,
		.vcpus = m->what.vcpus,
		.memory_mib = m->what.memory_bytes / MIB,
		.boots = m->what.owner == PRIV_OWNER_IMAGE,
		.uid = names_uid(&p->names, m->item.slot),
		.sock = s->sock,
		.stream = s->stream,
		.status = status,
	};

	return child_start(p->loop, &m->launch, jail_start, &plan, mproc_launched, e);
}

static int mproc_make(struct mproc *m, struct err *e)
{
	struct priv *p = m->priv;
	struct cgroup_limits limits = {
		.memory_bytes = m->what.memory_bytes + LIMIT_MACHINE_EXTRA,
		.cpu_percent = m->what.vcpus * 100,
		.pids = LIMIT_MACHINE_PIDS,
	};
	struct machine_dir_sockets s;
	autoclose int theirs = -1;
	int rc;

	if (!m->what.internet && slot_close(&p->slots, m->item.slot, e))
		return -1;
	if (status_open(&m->status, p->loop, &theirs, mproc_status, e) ||
	    machine_dir_make(p, &m->item, &s, e))
		return -1;
	rc = cgroup_make(&p->groups, m->item.machine, &limits, e) || mproc_launch(m, &s, theirs, e);
	fd_close(&s.sock);
	fd_close(&s.stream);
	return rc ? -1 : 0;
}

static void mproc_got_slot(struct slot_wait *w, int slot, const struct err *why)
{
	struct mproc *m = container_of(w, struct mproc, slot);
	struct err e;

	if (slot < 0) {
		priv_refuse(m->priv, &m->starter, why);
		mproc_free(m);
		return;
	}
	host_setup_check(&m->priv->host);
	m->item.slot = (uint32_t)slot;
	m->state = MPROC_STARTS;
	if (mproc_make(m, &e))
		mproc_fail(m, &e);
}

static int mproc_check(struct priv *p, const struct request *a, const struct priv_machine_start *s,
		       struct err *e)
{
	if (!names_id_valid(s->machine, sizeof(s->machine), 'm'))
		return err_set(e, ERR_INVALID, "this is not the name of a machine");
	if (s->owner != a->role)
		return err_set(e, ERR_DENIED, "a machine belongs to the role that asks for it");
	if (s->kind >= PRIV_NUM_MACHINE_KINDS || s->internet > 1 || !s->vcpus || s->vcpus > 256 ||
	    s->memory_bytes < 16 * MIB || s->memory_bytes > 1024 * GIB)
		return err_set(e, ERR_INVALID, "the machine's kind or size is out of range");
	if (p->stopping)
		return err_set(e, ERR_CONFLICT, "doze is stopping");
	if (mproc_find(p, s->machine))
		return err_set(e, ERR_CONFLICT, "there is a machine '%s'", s->machine);
	return 0;
}

void mproc_start(struct priv *p, const struct request *a, struct ipc_msg *msg)
{
	struct priv_machine_start what;
	struct mproc *m;
	struct err e;

	memcpy(&what, msg->body, sizeof(what));
	if (mproc_check(p, a, &what, &e)) {
		priv_refuse(p, a, &e);
		return;
	}
	m = mproc_new(p, MPROC_WAITS);
	m->what = what;
	m->starter = *a;
	m->item.owner = what.owner;
	memcpy(m->item.machine, what.machine, sizeof(m->item.machine));
	m->slot.got = mproc_got_slot;
	slot_take(&p->slots, &m->slot);
}
