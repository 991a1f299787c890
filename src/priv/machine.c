#include "priv/machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/log.h"
#include "priv/jail.h"
#include "priv/mdir.h"
#include "priv/status.h"

enum machine_state {
	MACHINE_WAITS,  /* for a slot; nothing of it exists */
	MACHINE_STARTS, /* directory, cgroup and a process on its way */
	MACHINE_LIVES,
	MACHINE_IS_DEAD,   /* the process ended by itself; its owner ends the rest */
	MACHINE_IS_ENDING, /* until its cgroup is gone */
};

struct machine_ender {
	struct list in;
	struct ask ask;
};

struct machine {
	struct list in;
	struct priv *priv;
	enum machine_state state;
	struct priv_machine_start what;
	struct priv_machine_item item;
	struct ask starter; /* not answered yet in MACHINE_WAITS and MACHINE_STARTS */
	struct slot_wait slot;
	struct child launch;
	int status, pidfd;
	struct watch status_watch, pid_watch;
	struct cgroup_end group_end;
	struct list enders;
};

static const struct {
	const char *program, *monitor;
} machine_kinds[] = {
	[PRIV_MACHINE_QEMU] = { "doze-qemu", "/usr/bin/qemu-system-x86_64" },
};
static_assert(ARRAY_SIZE(machine_kinds) == PRIV_NUM_MACHINE_KINDS, "one row per kind");

static struct machine *machine_find(struct priv *p, const char *id)
{
	list_each(m, &p->machines, struct machine, in)
	{
		if (!strcmp(m->item.machine, id))
			return m;
	}
	return NULL;
}

static struct machine *machine_new(struct priv *p, enum machine_state state)
{
	struct machine *m = xcalloc(1, sizeof(*m));

	m->priv = p;
	m->state = state;
	m->status = m->pidfd = -1;
	list_init(&m->slot.in);
	list_init(&m->enders);
	list_add(&p->machines, &m->in);
	return m;
}

static void machine_free(struct machine *m)
{
	struct priv *p = m->priv;

	list_each(ender, &m->enders, struct machine_ender, in)
	{
		priv_done(p, &ender->ask);
		free(ender);
	}
	list_del(&m->in);
	free(m);
}

static void machine_unwatch(struct machine *m)
{
	loop_unwatch(m->priv->loop, &m->status_watch);
	fd_close(&m->status);
	loop_unwatch(m->priv->loop, &m->pid_watch);
	fd_close(&m->pidfd);
}

/* The child that launches may be the last to go. */
static void machine_cleared(struct machine *m)
{
	struct priv *p = m->priv;
	uint32_t slot = m->item.slot;

	if (m->launch.pid)
		return;
	mdir_remove(p, m->item.machine);
	log_info("a machine ended machine=%s slot=%u", m->item.machine, slot);
	slot_give(&p->slots, slot);
	machine_free(m);
}

static void machine_group_gone(struct cgroup_end *end)
{
	struct machine *m = container_of(end, struct machine, group_end);

	m->group_end.groups = NULL;
	machine_cleared(m);
}

static void machine_to_end(struct machine *m)
{
	m->state = MACHINE_IS_ENDING;
	machine_unwatch(m);
	child_kill(&m->launch);
	cgroup_end(&m->group_end, &m->priv->groups, m->item.machine, machine_group_gone);
}

static void machine_fail(struct machine *m, const struct err *e)
{
	log_err("a machine does not start machine=%s cause='%s'", m->item.machine, e->text);
	priv_refuse(m->priv, &m->starter, e);
	machine_to_end(m);
}

static void machine_died(struct watch *w, uint32_t events)
{
	struct machine *m = container_of(w, struct machine, pid_watch);
	struct priv_machine gone;

	(void)events;
	if (m->state != MACHINE_LIVES) {
		loop_unwatch(m->priv->loop, w); /* its status socket says more */
		return;
	}
	machine_unwatch(m);
	m->state = MACHINE_IS_DEAD;
	memcpy(gone.machine, m->item.machine, sizeof(gone.machine));
	if (!priv_tell(m->priv, m->item.owner, PRIV_MACHINE_GONE, &gone, sizeof(gone)))
		machine_to_end(m);
}

static int machine_watch(struct machine *m, struct err *e)
{
	if (m->pidfd < 0)
		return err_sys(e, "watch process %d", m->item.pid);
	return loop_watch(m->priv->loop, &m->pid_watch, m->pidfd, EPOLLIN, machine_died, e);
}

static void machine_runs(struct machine *m)
{
	struct err e;

	loop_unwatch(m->priv->loop, &m->status_watch);
	fd_close(&m->status);
	if (!m->item.start_time || mdir_start_time(m->item.pid) != m->item.start_time) {
		err_set(&e, ERR_INTERNAL,
			"its process ended at once; the machines' log may say why");
		machine_fail(m, &e);
		return;
	}
	m->state = MACHINE_LIVES;
	log_info("a machine runs machine=%s slot=%u pid=%d", m->item.machine, m->item.slot,
		 m->item.pid);
	priv_answer(m->priv, &m->starter, PRIV_MACHINE_STARTED, &m->item, sizeof(m->item));
}

static int machine_told(struct machine *m, struct ipc_msg *msg, struct err *e)
{
	struct status_started started;

	if (msg->head.type == STATUS_FAULT)
		return status_take_fault(msg, e);
	memcpy(&started, msg->body, sizeof(started));
	m->item.pid = started.pid;
	m->item.start_time = mdir_start_time(started.pid);
	fd_close(&m->pidfd);
	m->pidfd = ipc_msg_take_fd(msg, 0);
	loop_unwatch(m->priv->loop, &m->pid_watch);
	if (machine_watch(m, e))
		return -1;
	return mdir_set_pid(m->priv, &m->item, e);
}

static void machine_status(struct watch *w, uint32_t events)
{
	struct machine *m = container_of(w, struct machine, status_watch);
	struct ipc_msg msg;
	struct err e;
	int rc;

	(void)events;
	while ((rc = ipc_recv(m->status, &msg, status_rows, STATUS_NUM_TYPES)) == 1) {
		int failed = machine_told(m, &msg, &e);

		ipc_msg_close(&msg);
		if (failed) {
			machine_fail(m, &e);
			return;
		}
	}
	if (!rc)
		machine_runs(m);
	else if (rc != -EAGAIN)
		machine_fail(m, (err_set(&e, ERR_INTERNAL, "its start said nothing"), &e));
}

static void machine_launched(struct child *c, int status)
{
	struct machine *m = container_of(c, struct machine, launch);

	(void)status; /* the status socket says more */
	if (m->state == MACHINE_IS_ENDING && !m->group_end.groups)
		machine_cleared(m);
}

static int machine_launch(struct machine *m, const struct mdir_sockets *s, int status,
			  struct err *e)
{
	struct priv *p = m->priv;
	autofree char *netns = slot_netns_path(&p->slots, m->item.slot);
	struct jail_plan plan = {
		.groups = &p->groups,
		.machine = m->item.machine,
		.netns_path = netns,
		.stage = p->stage_dir,
		.libexec = p->libexec,
		.program = machine_kinds[m->what.kind].program,
		.monitor = machine_kinds[m->what.kind].monitor,
		.log_path = p->log_path,
		.uid = names_uid(&p->names, m->item.slot),
		.sock = s->sock,
		.stream = s->stream,
		.status = status,
	};

	return child_start(p->loop, &m->launch, jail_start, &plan, machine_launched, e);
}

static int machine_make(struct machine *m, struct err *e)
{
	struct priv *p = m->priv;
	struct cgroup_limits limits = {
		.memory_bytes = m->what.memory_bytes + LIMIT_MACHINE_EXTRA,
		.cpu_percent = m->what.vcpus * 100,
		.pids = LIMIT_MACHINE_PIDS,
	};
	struct mdir_sockets s;
	autoclose int theirs = -1;
	int pair[2], rc;

	if (!m->what.internet && slot_close(&p->slots, m->item.slot, e))
		return -1;
	if (ipc_pair(pair, e))
		return -1;
	m->status = pair[0];
	theirs = pair[1];
	if (loop_watch(p->loop, &m->status_watch, m->status, EPOLLIN, machine_status, e) ||
	    mdir_make(p, &m->item, &s, e))
		return -1;
	rc = cgroup_make(&p->groups, m->item.machine, &limits, e) ||
	     machine_launch(m, &s, theirs, e);
	fd_close(&s.sock);
	fd_close(&s.stream);
	return rc ? -1 : 0;
}

static void machine_got_slot(struct slot_wait *w, int slot, const struct err *why)
{
	struct machine *m = container_of(w, struct machine, slot);
	struct err e;

	if (slot < 0) {
		priv_refuse(m->priv, &m->starter, why);
		machine_free(m);
		return;
	}
	host_look(&m->priv->host);
	m->item.slot = (uint32_t)slot;
	m->state = MACHINE_STARTS;
	if (machine_make(m, &e))
		machine_fail(m, &e);
}

static int machine_check(struct priv *p, const struct ask *a, const struct priv_machine_start *s,
			 struct err *e)
{
	if (!names_id_valid(s->machine, sizeof(s->machine), 'm'))
		return err_set(e, ERR_INVALID, "not the name of a machine");
	if (s->owner != a->role)
		return err_set(e, ERR_DENIED, "a machine is its asker's");
	if (s->kind >= PRIV_NUM_MACHINE_KINDS || s->internet > 1 || !s->vcpus || s->vcpus > 256 ||
	    s->memory_bytes < 16 * MIB || s->memory_bytes > 1024 * GIB)
		return err_set(e, ERR_INVALID, "a machine cannot be like that");
	if (p->stopping)
		return err_set(e, ERR_CONFLICT, "doze is stopping");
	if (machine_find(p, s->machine))
		return err_set(e, ERR_CONFLICT, "there is a machine '%s'", s->machine);
	return 0;
}

void machine_start(struct priv *p, const struct ask *a, struct ipc_msg *msg)
{
	struct priv_machine_start what;
	struct machine *m;
	struct err e;

	memcpy(&what, msg->body, sizeof(what));
	if (machine_check(p, a, &what, &e)) {
		priv_refuse(p, a, &e);
		return;
	}
	m = machine_new(p, MACHINE_WAITS);
	m->what = what;
	m->starter = *a;
	m->item.owner = what.owner;
	memcpy(m->item.machine, what.machine, sizeof(m->item.machine));
	m->slot.got = machine_got_slot;
	slot_take(&p->slots, &m->slot);
}

static void machine_give_up(struct machine *m)
{
	struct err e;

	if (m->state <= MACHINE_STARTS)
		priv_refuse(m->priv, &m->starter,
			    (err_set(&e, ERR_CONFLICT, "it was ended before it ran"), &e));
	if (m->state == MACHINE_WAITS) {
		slot_forget(&m->slot);
		machine_free(m);
	} else if (m->state != MACHINE_IS_ENDING) {
		machine_to_end(m);
	}
}

void machine_end(struct priv *p, const struct ask *a, struct ipc_msg *msg)
{
	struct machine_ender *ender;
	struct priv_machine what;
	struct machine *m;
	struct err e;

	memcpy(&what, msg->body, sizeof(what));
	if (!names_id_valid(what.machine, sizeof(what.machine), 'm')) {
		priv_refuse(p, a, (err_set(&e, ERR_INVALID, "not the name of a machine"), &e));
		return;
	}
	m = machine_find(p, what.machine);
	if (m && m->item.owner != a->role) {
		priv_refuse(p, a, (err_set(&e, ERR_DENIED, "a machine is its asker's"), &e));
	} else if (!m) {
		priv_done(p, a);
	} else {
		ender = xcalloc(1, sizeof(*ender));
		ender->ask = *a;
		list_add(&m->enders, &ender->in);
		machine_give_up(m);
	}
}

void machine_list(struct priv *p, const struct ask *a, struct ipc_msg *msg)
{
	struct priv_owner what;
	struct err e;

	memcpy(&what, msg->body, sizeof(what));
	if (what.owner != a->role) {
		priv_refuse(p, a, (err_set(&e, ERR_DENIED, "a machine is its asker's"), &e));
		return;
	}
	list_each(m, &p->machines, struct machine, in)
	{
		if (m->state == MACHINE_LIVES && m->item.owner == a->role)
			priv_answer(p, a, PRIV_MACHINE_ITEM, &m->item, sizeof(m->item));
	}
	priv_done(p, a);
}

void machines_orphaned(struct priv *p, enum priv_owner_role role)
{
	list_each(m, &p->machines, struct machine, in)
	{
		if (m->state == MACHINE_IS_DEAD && m->item.owner == role)
			machine_to_end(m);
	}
}

void machines_end_all(struct priv *p)
{
	list_each(m, &p->machines, struct machine, in) machine_give_up(m);
}

int machine_adopt(struct priv *p, const struct priv_machine_item *item, struct err *e)
{
	struct machine *m = machine_new(p, MACHINE_LIVES);

	m->item = *item;
	m->pidfd = pidfd_open(item->pid, 0);
	if (machine_watch(m, e)) {
		fd_close(&m->pidfd);
		list_del(&m->in);
		free(m);
		return -1;
	}
	slots_adopt(&p->slots, item->slot);
	log_info("a machine was found again machine=%s slot=%u pid=%d", item->machine, item->slot,
		 item->pid);
	return 0;
}

bool machine_is_known(struct priv *p, const char *id)
{
	return machine_find(p, id) != NULL;
}
