/* drain.c - `doze down`: every RUNNING microVM is suspended, a few at a time, then every machine
 * ends. */

#include <stdlib.h>

#include "base/log.h"
#include "control/microvm/drain.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/pool/pool.h"

#define DRAIN_AT_ONCE 4
#define DRAIN_LOOK_MS 100
#define DRAIN_MOST_MS 280000 /* the supervisor waits 300 s */

struct drain {
	struct control *ctl;
	uv_timer_t look;
	unsigned suspended, failed, under_way;
	uint64_t since_ms;
	void (*done)(void *arg, unsigned suspended, unsigned failed);
	void *arg;
};

static void drain_suspended(void *arg, int rc, const struct err *e)
{
	struct drain *d = arg;

	d->under_way--;
	if (rc) {
		d->failed++;
		log_err("a microVM is not suspended error=\"%s\"", e->text);
	} else {
		d->suspended++;
	}
}

static void drain_closed(uv_handle_t *handle)
{
	free(handle->data);
}

/* What still has to end by itself: starts, hooks, ends. */
static bool drain_moves(const struct control *ctl)
{
	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		if (vm->state != VM_SUSPENDED && vm->state != VM_TERMINATED &&
		    !(vm->state == VM_RUNNING && vm->lifecycle && vm->lifecycle->drain_tried))
			return true;
		if (vm->lifecycle && vm->starting)
			return true;
	}
	return false;
}

static void drain_look(uv_timer_t *timer)
{
	struct drain *d = timer->data;
	struct control *ctl = d->ctl;
	bool late = uv_now(&ctl->loop) - d->since_ms > DRAIN_MOST_MS;

	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		struct lifecycle *l = lifecycle_of(vm);

		/* Each is tried once: one that cannot be saved runs on. */
		if (vm->state != VM_RUNNING || l->drain_tried || d->under_way >= DRAIN_AT_ONCE)
			continue;
		l->drain_tried = true;
		d->under_way++;
		lifecycle_suspend(vm, drain_suspended, d);
	}
	if (!late && (d->under_way || drain_moves(ctl)))
		return;
	d->done(d->arg, d->suspended, d->failed);
	uv_close((uv_handle_t *)timer, drain_closed);
}

void control_drain(struct control *ctl,
		   void (*done)(void *arg, unsigned suspended, unsigned failed), void *arg)
{
	struct drain *d = xcalloc(1, sizeof(*d));

	*d = (struct drain){ .ctl = ctl, .done = done, .arg = arg };
	ctl->draining = true;
	pool_wake(ctl);
	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		lifecycle_of(vm)->drain_tried = false;
	}
	d->look.data = d;
	d->since_ms = uv_now(&ctl->loop);
	uv_timer_init(&ctl->loop, &d->look);
	d->look.data = d;
	uv_timer_start(&d->look, drain_look, 0, DRAIN_LOOK_MS);
}
