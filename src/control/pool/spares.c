#include "control/pool/spares.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/steady.h"
#include "control/admission/admission.h"

#define SPARES_BACKOFF_MS 5000

struct spares {
	struct list shapes; /* of struct spare_shape */
	void (*wanted)(struct control *ctl);
};

/* A shape that was used.  It is never freed, because there are few shapes. */
struct spare_shape {
	struct list in;
	struct control *ctl;
	enum priv_machine_kind kind;
	struct machine_shape shape;
	int64_t used_ms, retry_ms;
	struct list all; /* of struct spare */
};

/* A spare that is being made or is ready.  The struct is freed when the spare is taken. */
struct spare {
	struct list in;
	struct spare_shape *of;
	struct admission_ticket ticket;
	struct machine *m;
	bool ready;
};

void spares_open(struct control *ctl, void (*wanted)(struct control *ctl))
{
	ctl->spares = xcalloc(1, sizeof(*ctl->spares));
	list_init(&ctl->spares->shapes);
	ctl->spares->wanted = wanted;
}

unsigned spares_target(const struct spares_facts *f)
{
	return f->stopping || f->since_ms >= f->recent_ms ? 0 : f->each;
}

static struct spare_shape *spares_of(struct control *ctl, const struct image_version *v)
{
	struct spare_shape *s;

	list_each(known, &ctl->spares->shapes, struct spare_shape, in)
	{
		if (known->kind == v->engine && known->shape.vcpus == v->shape.vcpus &&
		    known->shape.memory_mib == v->shape.memory_mib)
			return known;
	}
	s = xcalloc(1, sizeof(*s));
	*s = (struct spare_shape){ .ctl = ctl,
				   .kind = (enum priv_machine_kind)v->engine,
				   .shape = v->shape };
	list_init(&s->all);
	list_add(&ctl->spares->shapes, &s->in);
	return s;
}

static void spares_drop(struct spare *spare)
{
	struct machine *m = spare->m;

	list_del(&spare->in);
	admission_leave(&spare->ticket);
	free(spare);
	if (m)
		machine_end(m, NULL, NULL);
}

static void spares_up(struct machine *m, enum machine_run run)
{
	struct spare *spare = m->owner;

	(void)run; /* it has nothing to run yet */
	spare->ready = true;
	admission_leave(&spare->ticket);
}

static void spares_down(struct machine *m, const char *reason)
{
	struct spare *spare = m->owner;

	log_warn("a spare monitor failed machine=%s error=\"%s\"", m->id, reason);
	spare->m = NULL; /* it is clearing itself */
	spare->of->retry_ms = clock_mono_ms() + SPARES_BACKOFF_MS;
	spares_drop(spare);
}

static void spares_exited(struct machine *m, unsigned code)
{
	(void)code;
	spares_drop(m->owner); /* there is no application in it */
}

static const struct machine_ops spares_ops = { .up = spares_up,
					       .down = spares_down,
					       .exited = spares_exited };

static void spares_may_start(struct admission_ticket *ticket, int rc, const struct err *e)
{
	struct spare *spare = container_of(ticket, struct spare, ticket);
	struct spare_shape *s = spare->of;

	(void)rc; /* a slot is never refused */
	(void)e;
	spare->m = machine_start_spare(s->ctl, s->kind, &s->shape, &spares_ops, spare);
}

static void spares_add(struct spare_shape *s)
{
	struct spare *spare = xcalloc(1, sizeof(*spare));

	spare->of = s;
	list_add(&s->all, &spare->in);
	admission_wait_slot(s->ctl, &spare->ticket, ADMISSION_POOL, spares_may_start);
}

struct machine *spares_take(struct control *ctl, struct image_version *v, bool internet,
			    const struct machine_ops *ops, void *owner)
{
	struct spare_shape *s;

	if (!engines[v->engine].spares || !ctl->conf->pool_spares)
		return NULL;
	s = spares_of(ctl, v);
	s->used_ms = clock_mono_ms();
	ctl->spares->wanted(ctl);
	list_each(spare, &s->all, struct spare, in)
	{
		struct machine *m = spare->m;

		if (!spare->ready || !internet)
			continue;
		list_del(&spare->in);
		free(spare);
		m->version = v;
		machine_own(m, ops, owner);
		return m;
	}
	return NULL;
}

void spares_give_back(struct machine *m)
{
	struct spare *spare = xcalloc(1, sizeof(*spare));

	spare->of = spares_of(m->ctl, m->version);
	spare->m = m;
	spare->ready = true;
	list_add(&spare->of->all, &spare->in);
	m->version = NULL;
	machine_own(m, &spares_ops, spare);
}

unsigned spares_ready(const struct control *ctl)
{
	unsigned n = 0;

	list_each(s, &ctl->spares->shapes, struct spare_shape, in)
	{
		list_each(spare, &s->all, struct spare, in) n += spare->ready;
	}
	return n;
}

static void spares_check_shape(struct control *ctl, struct spare_shape *s)
{
	uint64_t cost = engines[s->kind].memory_bytes;
	int64_t now = clock_mono_ms();
	unsigned have = 0;
	unsigned wanted = spares_target(&(struct spares_facts){
		.stopping = !ctl->adopted || ctl->draining || ctl->stopping,
		.since_ms = now - s->used_ms,
		.recent_ms = ctl->conf->pool_recent_ms,
		.each = (unsigned)ctl->conf->pool_spares,
	});

	list_each(spare, &s->all, struct spare, in)
	{
		if (++have > wanted)
			spares_drop(spare);
	}
	for (; have < wanted && now >= s->retry_ms && admission_has_memory(ctl, cost); have++)
		spares_add(s);
}

/* The active version of an image counts as used from the end of its build on. */
static void spares_note(struct control *ctl, const struct image_version *v)
{
	int64_t since_ms = steady_ms() - v->recent_ms;
	struct spare_shape *s;
	struct err e;

	if (!engines[v->engine].spares || !v->shape.memory_mib || model_runs_here(ctl, v, &e) ||
	    since_ms >= ctl->conf->pool_recent_ms)
		return;
	s = spares_of(ctl, v);
	if (s->used_ms < clock_mono_ms() - since_ms)
		s->used_ms = clock_mono_ms() - since_ms;
}

void spares_check(struct control *ctl)
{
	list_each(image, &ctl->images, struct image, in_control)
	{
		const struct image_version *v = model_active_version(image);

		if (v)
			spares_note(ctl, v);
	}
	list_each(s, &ctl->spares->shapes, struct spare_shape, in) spares_check_shape(ctl, s);
}
