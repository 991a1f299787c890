#include "control/pool/spares.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/admission/admission.h"
#include "control/pool/pool.h"

#define SHELLS_BACKOFF_MS 5000

/* A shape in use; rows stay, there are few. */
struct shells {
	struct list in;
	struct control *ctl;
	enum priv_machine_kind kind;
	struct machine_shape shape;
	int64_t used_ms, retry_ms;
	struct list all; /* of struct shell */
};

/* On its way or ready; gone from here once taken. */
struct shell {
	struct list in;
	struct shells *of;
	struct admission_ticket ticket;
	struct machine *m;
	bool ready;
};

unsigned shells_target(const struct shells_facts *f)
{
	return f->stopping || f->since_ms >= f->recent_ms ? 0 : f->each;
}

static struct shells *shells_of(struct control *ctl, const struct image_version *v)
{
	struct shells *s;

	list_each(known, &ctl->shells, struct shells, in)
	{
		if (known->kind == v->engine && known->shape.vcpus == v->shape.vcpus &&
		    known->shape.memory_mib == v->shape.memory_mib)
			return known;
	}
	s = xcalloc(1, sizeof(*s));
	*s = (struct shells){ .ctl = ctl,
			      .kind = (enum priv_machine_kind)v->engine,
			      .shape = v->shape };
	list_init(&s->all);
	list_add(&ctl->shells, &s->in);
	return s;
}

static void shells_drop(struct shell *sh)
{
	struct machine *m = sh->m;

	list_del(&sh->in);
	admission_leave(&sh->ticket);
	free(sh);
	if (m)
		machine_end(m, NULL, NULL);
}

static void shells_up(struct machine *m, enum machine_run run)
{
	struct shell *sh = m->owner;

	(void)run; /* it was asked nothing */
	sh->ready = true;
	admission_leave(&sh->ticket);
}

static void shells_down(struct machine *m, const char *reason)
{
	struct shell *sh = m->owner;

	log_warn("a ready shell failed machine=%s error=\"%s\"", m->id, reason);
	sh->m = NULL; /* it is clearing itself */
	sh->of->retry_ms = clock_mono_ms() + SHELLS_BACKOFF_MS;
	shells_drop(sh);
}

static void shells_exited(struct machine *m, unsigned code)
{
	(void)code;
	shells_drop(m->owner); /* there is no application in it */
}

static const struct machine_ops shells_ops = { shells_up, shells_down, NULL, shells_exited, NULL };

static void shells_may_start(struct admission_ticket *ticket, int rc, const struct err *e)
{
	struct shell *sh = container_of(ticket, struct shell, ticket);
	struct shells *s = sh->of;

	(void)rc; /* a slot is never refused */
	(void)e;
	sh->m = machine_start_shell(s->ctl, s->kind, &s->shape, &shells_ops, sh);
}

static void shells_add(struct shells *s)
{
	struct shell *sh = xcalloc(1, sizeof(*sh));

	sh->of = s;
	list_add(&s->all, &sh->in);
	admission_wait_slot(s->ctl, &sh->ticket, ADMISSION_POOL, shells_may_start);
}

struct machine *shells_take(struct control *ctl, struct image_version *v, bool internet,
			    const struct machine_ops *ops, void *owner)
{
	struct shells *s;

	if (!engines[v->engine].shells || !ctl->conf->pool_shells)
		return NULL;
	s = shells_of(ctl, v);
	s->used_ms = clock_mono_ms();
	pool_wake(ctl);
	list_each(sh, &s->all, struct shell, in)
	{
		struct machine *m = sh->m;

		if (!sh->ready || !internet)
			continue;
		list_del(&sh->in);
		free(sh);
		m->version = v;
		machine_own(m, ops, owner);
		return m;
	}
	return NULL;
}

void shells_give_back(struct machine *m)
{
	struct shell *sh = xcalloc(1, sizeof(*sh));

	sh->of = shells_of(m->ctl, m->version);
	sh->m = m;
	sh->ready = true;
	list_add(&sh->of->all, &sh->in);
	m->version = NULL;
	machine_own(m, &shells_ops, sh);
}

unsigned shells_ready(const struct control *ctl)
{
	unsigned n = 0;

	list_each(s, &ctl->shells, struct shells, in)
	{
		list_each(sh, &s->all, struct shell, in) n += sh->ready;
	}
	return n;
}

static void shells_look_at(struct control *ctl, struct shells *s)
{
	uint64_t cost = engines[s->kind].memory_bytes;
	int64_t now = clock_mono_ms();
	unsigned have = 0;
	unsigned wanted = shells_target(&(struct shells_facts){
		.stopping = ctl->draining || ctl->stopping,
		.since_ms = now - s->used_ms,
		.recent_ms = ctl->conf->pool_recent_ms,
		.each = (unsigned)ctl->conf->pool_shells,
	});

	list_each(sh, &s->all, struct shell, in)
	{
		if (++have > wanted)
			shells_drop(sh);
	}
	for (; have < wanted && now >= s->retry_ms && admission_has_memory(ctl, cost); have++)
		shells_add(s);
}

/* What a run without a version would get is in use from its build on. */
static void shells_note(struct control *ctl, const struct image_version *v)
{
	int64_t since_ms = clock_wall_ms() - v->recent_ms;
	struct shells *s;
	struct err e;

	if (!engines[v->engine].shells || !v->shape.memory_mib || model_runs_here(ctl, v, &e) ||
	    since_ms >= ctl->conf->pool_recent_ms)
		return;
	s = shells_of(ctl, v);
	if (s->used_ms < clock_mono_ms() - since_ms)
		s->used_ms = clock_mono_ms() - since_ms;
}

void shells_look(struct control *ctl)
{
	list_each(image, &ctl->images, struct image, in_control)
	{
		const struct image_version *v = model_active_version(image);

		if (v)
			shells_note(ctl, v);
	}
	list_each(s, &ctl->shells, struct shells, in) shells_look_at(ctl, s);
}
