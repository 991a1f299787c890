#include "control/pool/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/steady.h"
#include "control/admission/admission.h"
#include "control/kms/kms.h"
#include "control/pool/key_files.h"
#include "control/pool/prewarm.h"
#include "control/pool/restore.h"
#include "control/pool/spares.h"

#define POOL_TICK_MS        1000
#define POOL_DEMAND_MS      60000
#define POOL_RUNS_EACH      6   /* runs a minute that one more clone stands for */
#define POOL_MAX            16  /* clones of a version */
#define POOL_AFTER_TAKE_MS  500 /* the first request of a clone has the cores to itself */
#define POOL_BACKOFF_MS     2000
#define POOL_BACKOFF_MAX_MS 120000

struct pool {
	uv_timer_t tick, idle;
	uint64_t budget;
};

/* A clone that is being made or is ready.  The struct is freed when the clone is taken. */
struct clone {
	struct list in;
	struct template *t;
	struct admission_ticket ticket;
	struct template_wait wait;
	struct machine *m;
	bool ready;
};

unsigned pool_target(const struct pool_facts *f)
{
	unsigned n = f->per_image;

	if (!f->active || !f->per_image || f->since_ms >= f->recent_ms)
		return 0;
	if (f->demand / POOL_RUNS_EACH > n)
		n = f->demand / POOL_RUNS_EACH;
	return n > POOL_MAX && f->per_image < POOL_MAX ? POOL_MAX : n;
}

static void pool_drop(struct clone *c)
{
	struct machine *m = c->m;

	list_del(&c->in);
	admission_leave(&c->ticket);
	template_leave(&c->wait);
	free(c);
	if (!m)
		return;
	if (m->prewarm)
		prewarm_cancel(m->prewarm);
	machine_end(m, NULL, NULL);
}

static void pool_failed(struct clone *c, const char *why)
{
	struct template *t = c->t;
	int64_t wait = t->backoff_ms ? t->backoff_ms * 2 : POOL_BACKOFF_MS;

	t->backoff_ms = wait < POOL_BACKOFF_MAX_MS ? wait : POOL_BACKOFF_MAX_MS;
	t->retry_ms = clock_mono_ms() + t->backoff_ms;
	log_warn("a clone failed image=%s version=%lld retry_ms=%lld error=\"%s\"",
		 t->version->image->name, (long long)t->version->number, (long long)t->backoff_ms,
		 why);
	pool_drop(c);
}

static void pool_measured(struct machine *m, int rc, const struct ipc_msg *answer,
			  const struct err *e)
{
	(void)answer;
	(void)e;
	if (!rc) /* a microVM may own it by now */
		template_of(m->ctl, m->version)->clone_bytes = m->private_bytes;
}

static void pool_warmed(struct machine *m, int rc, const struct err *e)
{
	struct clone *c = m->owner;

	if (rc) {
		pool_failed(c, e->text);
		return;
	}
	c->ready = true;
	c->t->backoff_ms = 0;
	machine_stats(m, pool_measured);
	admission_leave(&c->ticket);
	log_debug("a clone is ready machine=%s image=%s", m->id, c->t->version->image->name);
}

static void pool_restored(struct machine *m, int rc, const struct ipc_msg *answer,
			  const struct err *e)
{
	(void)answer;
	if (rc)
		pool_failed(m->owner, e->text);
	else
		prewarm_start(m, pool_warmed);
}

static void pool_up(struct machine *m, enum machine_run run)
{
	struct clone *c = m->owner;

	(void)run;
	restore_machine(c->t, m, NULL, 0, pool_restored);
}

static void pool_down(struct machine *m, const char *reason)
{
	struct clone *c = m->owner;

	c->m = NULL; /* it is clearing itself */
	if (m->prewarm)
		prewarm_cancel(m->prewarm);
	pool_failed(c, reason);
}

static void pool_exited(struct machine *m, unsigned code)
{
	(void)code;
	pool_failed(m->owner, "the application ended");
}

static const struct machine_ops pool_ops = { .up = pool_up,
					     .down = pool_down,
					     .exited = pool_exited };

static void pool_loaded(struct template_wait *w, int rc, const struct err *e)
{
	struct clone *c = container_of(w, struct clone, wait);
	char id[MACHINE_ID_SIZE];

	if (rc) {
		pool_failed(c, e->text);
		return;
	}
	machine_new_id(id);
	c->m = machine_start(c->t->ctl, c->t->version, id, true, &pool_ops, c);
}

static void pool_may_start(struct admission_ticket *ticket, int rc, const struct err *e)
{
	struct clone *c = container_of(ticket, struct clone, ticket);

	(void)rc; /* a slot is never refused */
	(void)e;
	template_load(c->t, &c->wait, pool_loaded);
}

static void pool_add(struct template *t)
{
	struct clone *c = xcalloc(1, sizeof(*c));

	c->t = t;
	list_add(&t->clones, &c->in);
	admission_wait_slot(t->ctl, &c->ticket, ADMISSION_POOL, pool_may_start);
}

static unsigned pool_count(const struct template *t)
{
	unsigned n = 0;

	list_each(c, &t->clones, struct clone, in) n++;
	return n;
}

static uint64_t pool_used(const struct control *ctl)
{
	uint64_t sum = 0;

	list_each(t, &ctl->templates, struct template, in)
	{
		uint64_t each = template_clone_bytes(t);

		sum += template_bytes(t) + pool_count(t) * each;
	}
	return sum;
}

static unsigned pool_wanted(struct control *ctl, struct template *t, int64_t now)
{
	struct image_version *v = t->version;
	struct err e;

	/* Adoption ends every machine that has no row, and removes its files. */
	if (!ctl->adopted || ctl->draining || ctl->stopping || kms_usable(ctl, v->kms, &e) ||
	    model_runs_here(ctl, v, &e))
		return 0;
	if (now - t->demand_ms >= POOL_DEMAND_MS) {
		t->demand = 0;
		t->demand_ms = now;
	}
	return pool_target(&(struct pool_facts){
		.active = v == model_active_version(v->image),
		.since_ms = now - v->recent_ms,
		.recent_ms = ctl->conf->pool_recent_ms,
		.per_image = (unsigned)ctl->conf->pool_per_image,
		.demand = t->demand,
	});
}

static bool pool_live(const struct template *t)
{
	list_each(vm, &t->ctl->microvms, struct microvm, in_control)
	{
		if (vm->version == t->version && vm->state != VM_TERMINATED)
			return true;
	}
	return false;
}

static void pool_check_template(struct control *ctl, struct template *t)
{
	int64_t now = steady_ms();
	unsigned wanted = pool_wanted(ctl, t, now), have = pool_count(t);
	bool recent = t->version == model_active_version(t->version->image) &&
		      now - t->version->recent_ms < ctl->conf->pool_recent_ms;
	struct err e;
	bool locked;

	list_each(c, &t->clones, struct clone, in)
	{
		if (have <= wanted)
			break;
		pool_drop(c);
		have--;
	}
	for (; have < wanted && clock_mono_ms() >= t->retry_ms; have++) {
		uint64_t cost = template_cost(t);

		if (pool_used(ctl) + cost > ctl->pool->budget || !admission_has_memory(ctl, cost))
			break;
		pool_add(t);
	}
	locked = kms_usable(ctl, t->version->kms, &e) != 0;
	if (!have && t->memfd >= 0 && list_empty(&t->waits) &&
	    (locked || (!recent && !pool_live(t))))
		template_unload(t);
}

static void pool_check(struct control *ctl)
{
	list_each(image, &ctl->images, struct image, in_control)
	{
		struct image_version *v = model_active_version(image);

		if (v && v->shape.memory_mib &&
		    steady_ms() - v->recent_ms < ctl->conf->pool_recent_ms)
			template_of(ctl, v);
	}
	list_each(t, &ctl->templates, struct template, in) pool_check_template(ctl, t);
	spares_check(ctl);
	if (ctl->kms)
		key_files_settle(ctl);
}

static void pool_tick(uv_timer_t *timer)
{
	pool_check(timer->loop->data);
}

void pool_wake(struct control *ctl)
{
	/* The check runs from the loop, so that the caller can finish its change first. */
	if (ctl->pool && !ctl->stopping)
		uv_timer_start(&ctl->pool->idle, pool_tick, 1, 0);
}

struct machine *pool_take(struct control *ctl, struct image_version *v)
{
	struct template *t = template_of(ctl, v);

	list_each(c, &t->clones, struct clone, in)
	{
		struct machine *m = c->m;

		if (!c->ready)
			continue;
		list_del(&c->in);
		free(c);
		machine_own(m, NULL, NULL);
		if (t->retry_ms < clock_mono_ms() + POOL_AFTER_TAKE_MS)
			t->retry_ms = clock_mono_ms() + POOL_AFTER_TAKE_MS;
		return m;
	}
	return NULL;
}

void pool_give_back(struct machine *m)
{
	struct template *t = template_of(m->ctl, m->version);
	struct clone *c = xcalloc(1, sizeof(*c));

	c->t = t;
	c->m = m;
	c->ready = true;
	list_add(&t->clones, &c->in);
	machine_own(m, &pool_ops, c);
}

unsigned pool_ready(const struct control *ctl)
{
	unsigned n = 0;

	list_each(t, &ctl->templates, struct template, in)
	{
		list_each(c, &t->clones, struct clone, in) n += c->ready;
	}
	return n;
}

void pool_note_run(struct control *ctl, struct image_version *v)
{
	struct template *t = template_of(ctl, v);

	v->recent_ms = steady_ms();
	t->demand++;
	list_del(&t->in);
	list_add(&ctl->templates, &t->in);
	pool_wake(ctl);
}

void pool_evict(struct control *ctl)
{
	list_each(t, &ctl->templates, struct template, in)
	{
		struct clone *oldest = list_first(&t->clones, struct clone, in);

		if (!oldest)
			continue;
		/* No new clone is made until the version runs, or the shortage is over. */
		t->retry_ms = clock_mono_ms() + POOL_BACKOFF_MAX_MS;
		pool_drop(oldest);
		return;
	}
}

void pool_forget(struct image_version *v)
{
	struct template *t = v->template;

	if (!t)
		return;
	list_each(c, &t->clones, struct clone, in) pool_drop(c);
	template_unload(t);
	template_cancel(t);
	list_del(&t->in);
	v->template = NULL;
	free(t);
}

int pool_open(struct control *ctl, struct err *e)
{
	struct pool *p = xcalloc(1, sizeof(*p));

	spares_open(ctl, pool_wake);
	list_init(&ctl->templates);
	p->budget = admission_total_memory() / 100 * (uint64_t)ctl->conf->pool_memory_percent;
	if (uv_timer_init(&ctl->loop, &p->tick) || uv_timer_init(&ctl->loop, &p->idle))
		return err_set(e, ERR_INTERNAL, "make a timer");
	ctl->pool = p;
	uv_timer_start(&p->tick, pool_tick, POOL_TICK_MS, POOL_TICK_MS);
	return 0;
}

void pool_close(struct control *ctl)
{
	uv_timer_stop(&ctl->pool->tick);
	uv_timer_stop(&ctl->pool->idle);
}
