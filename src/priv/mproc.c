#include "priv/mproc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/log.h"
#include "priv/enders.h"
#include "priv/machine_dir.h"

struct mproc *mproc_find(struct priv *p, const char *id)
{
	list_each(m, &p->machines, struct mproc, in)
	{
		if (!strcmp(m->item.machine, id))
			return m;
	}
	return NULL;
}

struct mproc *mproc_new(struct priv *p, enum mproc_state state)
{
	struct mproc *m = xcalloc(1, sizeof(*m));

	m->priv = p;
	m->state = state;
	m->status.sock = m->pidfd = -1;
	list_init(&m->slot.in);
	list_init(&m->enders);
	list_add(&p->machines, &m->in);
	return m;
}

void mproc_free(struct mproc *m)
{
	struct priv *p = m->priv;

	enders_done(p, &m->enders);
	list_del(&m->in);
	free(m);
}

static void mproc_unwatch(struct mproc *m)
{
	status_close(&m->status);
	loop_unwatch(m->priv->loop, &m->pid_watch);
	fd_close(&m->pidfd);
}

/* The launching child may be the last to end. */
static void mproc_cleared(struct mproc *m)
{
	struct priv *p = m->priv;
	uint32_t slot = m->item.slot;

	if (m->launch.pid)
		return;
	machine_dir_remove(p, m->item.machine);
	log_info("a machine ended machine=%s slot=%u", m->item.machine, slot);
	slot_give(&p->slots, slot);
	mproc_free(m);
}

static void mproc_group_gone(struct cgroup_end *end)
{
	struct mproc *m = container_of(end, struct mproc, group_end);

	m->group_end.groups = NULL;
	mproc_cleared(m);
}

static void mproc_to_end(struct mproc *m)
{
	m->state = MPROC_IS_ENDING;
	mproc_unwatch(m);
	child_kill(&m->launch);
	cgroup_end(&m->group_end, &m->priv->groups, m->item.machine, mproc_group_gone);
}

void mproc_launched(struct child *c, int status)
{
	struct mproc *m = container_of(c, struct mproc, launch);

	(void)status; /* the status socket says more */
	if (m->state == MPROC_IS_ENDING && !m->group_end.groups)
		mproc_cleared(m);
}

void mproc_fail(struct mproc *m, const struct err *e)
{
	log_err("a machine does not start machine=%s cause='%s'", m->item.machine, e->text);
	priv_refuse(m->priv, &m->starter, e);
	mproc_to_end(m);
}

static void mproc_died(struct watch *w, uint32_t events)
{
	struct mproc *m = container_of(w, struct mproc, pid_watch);
	struct priv_machine gone;

	(void)events;
	if (m->state != MPROC_LIVES) {
		loop_unwatch(m->priv->loop, w); /* its status socket says more */
		return;
	}
	mproc_unwatch(m);
	m->state = MPROC_IS_DEAD;
	memcpy(gone.machine, m->item.machine, sizeof(gone.machine));
	if (!priv_notify(m->priv, m->item.owner, PRIV_MACHINE_GONE, &gone, sizeof(gone)))
		mproc_to_end(m);
}

int mproc_watch(struct mproc *m, struct err *e)
{
	if (m->pidfd < 0)
		return err_sys(e, "watch process %d", m->item.pid);
	return loop_watch(m->priv->loop, &m->pid_watch, m->pidfd, EPOLLIN, mproc_died, e);
}

static void mproc_give_up(struct mproc *m)
{
	struct err e;

	if (m->state <= MPROC_STARTS)
		priv_refuse(m->priv, &m->starter,
			    (err_set(&e, ERR_CONFLICT, "it was ended before it ran"), &e));
	if (m->state == MPROC_WAITS) {
		slot_forget(&m->slot);
		mproc_free(m);
	} else if (m->state != MPROC_IS_ENDING) {
		mproc_to_end(m);
	}
}

void mproc_end(struct priv *p, const struct request *a, struct ipc_msg *msg)
{
	struct priv_machine what;
	struct mproc *m;
	struct err e;

	memcpy(&what, msg->body, sizeof(what));
	if (!names_id_valid(what.machine, sizeof(what.machine), 'm')) {
		priv_refuse(p, a,
			    (err_set(&e, ERR_INVALID, "this is not the name of a machine"), &e));
		return;
	}
	m = mproc_find(p, what.machine);
	if (m && m->item.owner != a->role) {
		priv_refuse(p, a,
			    (err_set(&e, ERR_DENIED, "the machine belongs to another role"), &e));
	} else if (!m) {
		priv_done(p, a);
	} else {
		enders_add(&m->enders, a);
		mproc_give_up(m);
	}
}

static int mproc_open(struct priv *p, const struct priv_machine *what, uint32_t owner,
		      struct err *e)
{
	const struct mproc *m = NULL;

	if (names_id_valid(what->machine, sizeof(what->machine), 'm'))
		m = mproc_find(p, what->machine);
	if (!m || m->state != MPROC_LIVES || m->item.owner != owner)
		return err_set(e, ERR_NOT_FOUND, "no such machine runs");
	return slot_open_api(&p->slots, m->item.slot, e);
}

void mproc_open_api(struct priv *p, const struct request *a, struct ipc_msg *msg)
{
	struct priv_machine what;
	struct err e;

	memcpy(&what, msg->body, sizeof(what));
	if (mproc_open(p, &what, a->role, &e))
		priv_refuse(p, a, &e);
	else
		priv_done(p, a);
}

void mproc_list(struct priv *p, const struct request *a, struct ipc_msg *msg)
{
	struct priv_owner what;
	struct err e;

	memcpy(&what, msg->body, sizeof(what));
	if (what.owner != a->role) {
		priv_refuse(p, a,
			    (err_set(&e, ERR_DENIED, "the machine belongs to another role"), &e));
		return;
	}
	list_each(m, &p->machines, struct mproc, in)
	{
		if (m->state == MPROC_LIVES && m->item.owner == a->role)
			priv_answer(p, a, PRIV_MACHINE_ITEM, &m->item, sizeof(m->item));
	}
	priv_done(p, a);
}

void mprocs_orphaned(struct priv *p, enum priv_owner_role role)
{
	list_each(m, &p->machines, struct mproc, in)
	{
		if (m->state == MPROC_IS_DEAD && m->item.owner == role)
			mproc_to_end(m);
	}
}

void mprocs_end_all(struct priv *p)
{
	list_each(m, &p->machines, struct mproc, in) mproc_give_up(m);
}

int mproc_adopt(struct priv *p, const struct priv_machine_item *item, struct err *e)
{
	struct mproc *m = mproc_new(p, MPROC_LIVES);
	int rc;

	m->item = *item;
	m->pidfd = pidfd_open(item->pid, 0);
	rc = m->pidfd < 0 && errno == ESRCH ? 1 : mproc_watch(m, e);
	if (rc) {
		fd_close(&m->pidfd);
		list_del(&m->in);
		free(m);
		return rc;
	}
	slots_adopt(&p->slots, item->slot);
	log_info("a machine was found again machine=%s slot=%u pid=%d", item->machine, item->slot,
		 item->pid);
	return 0;
}
