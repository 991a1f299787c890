#include "control/microvm/drain.h"

#include <stdlib.h>

#include "control/microvm/lifecycle.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/microvm/suspend.h"
#include "control/model/model.h"
#include "control/pool/pool.h"

#define DRAIN_AT_ONCE  4
#define DRAIN_CHECK_MS 100

struct drain_wait {
	struct list in;
	drain_done *done;
	void *arg;
};

struct drain {
	uv_timer_t timer;
	struct list waits;
};

struct drain_count {
	unsigned suspended, failed; /* of those that this drain has tried */
	unsigned saving;            /* now */
	unsigned moving;            /* starts, hooks and ends, which end by themselves */
	unsigned untried;
};

static void drain_count_one(const struct microvm *vm, struct drain_count *n)
{
	const struct lifecycle *l = vm->lifecycle;
	bool tried = l && l->drain_tried;

	if (vm->state == VM_TERMINATED)
		return;
	if (vm->state == VM_SUSPENDING || (l && l->committing))
		n->saving++;
	else if (vm->starting || vm->state == VM_PENDING || vm->state == VM_TERMINATING)
		n->moving++;
	else if (vm->state == VM_SUSPENDED)
		n->suspended += tried;
	else if (tried)
		n->failed++;
	else
		n->untried++;
}

static struct drain_count drain_count(const struct control *ctl)
{
	struct drain_count n = { 0 };

	list_each(vm, &ctl->microvms, struct microvm, in_control) drain_count_one(vm, &n);
	return n;
}

static void drain_closed(uv_handle_t *handle)
{
	free(container_of((uv_timer_t *)handle, struct drain, timer));
}

static void drain_end(struct control *ctl, const struct drain_count *n)
{
	struct drain *d = ctl->drain;

	ctl->drain = NULL;
	ctl->draining = ctl->ending;
	pool_wake(ctl);
	list_each(w, &d->waits, struct drain_wait, in)
	{
		list_del(&w->in);
		w->done(w->arg, n->suspended, n->failed);
		free(w);
	}
	uv_close((uv_handle_t *)&d->timer, drain_closed);
}

static void drain_check(uv_timer_t *timer)
{
	struct control *ctl = timer->loop->data;
	struct drain_count n = drain_count(ctl);

	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		struct lifecycle *l = lifecycle_of(vm);

		if (n.saving >= DRAIN_AT_ONCE)
			break;
		if (vm->state != VM_RUNNING || l->drain_tried || l->committing)
			continue;
		l->drain_tried = true;
		model_set_drained(vm, true);
		n.saving++;
		lifecycle_suspend(vm, NULL, NULL);
	}
	n = drain_count(ctl);
	if (!n.saving && !n.moving && !n.untried)
		drain_end(ctl, &n);
}

void drain_start(struct control *ctl, drain_done *done, void *arg)
{
	struct drain_wait *w = xcalloc(1, sizeof(*w));
	struct drain *d = ctl->drain;

	w->done = done;
	w->arg = arg;
	if (d) {
		list_add(&d->waits, &w->in);
		return;
	}
	d = xcalloc(1, sizeof(*d));
	ctl->drain = d;
	ctl->draining = true;
	list_init(&d->waits);
	list_add(&d->waits, &w->in);
	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		lifecycle_of(vm)->drain_tried = false;
	}
	pool_wake(ctl);
	uv_timer_init(&ctl->loop, &d->timer);
	uv_timer_start(&d->timer, drain_check, 0, DRAIN_CHECK_MS);
}

static json_t *drain_item(const struct microvm *vm)
{
	struct suspend_progress p = suspend_progress(vm);
	json_t *item = json_pack("{s:s,s:s,s:s,s:I,s:I}", "microvmId", vm->id, "state",
				 vm_state_name[vm->state], "phase", p.phase ? p.phase : "waiting",
				 "bytesWritten", (json_int_t)p.bytes_written, "bytesTotal",
				 (json_int_t)p.bytes_total);

	if (vm->state == VM_RUNNING && vm->lifecycle && vm->lifecycle->drain_tried && p.error)
		json_object_set_new(item, "error", json_string(p.error));
	return item;
}

json_t *drain_progress(const struct control *ctl)
{
	struct drain_count n = drain_count(ctl);
	json_t *items = json_array();

	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		if (vm->state != VM_SUSPENDED && vm->state != VM_TERMINATED)
			json_array_append_new(items, drain_item(vm));
	}
	return json_pack("{s:b,s:i,s:i,s:i,s:o}", "draining", ctl->draining, "suspended",
			 (int)n.suspended, "failed", (int)n.failed, "remaining",
			 (int)(n.saving + n.moving + n.untried), "items", items);
}

uint64_t drain_bytes(const struct control *ctl)
{
	uint64_t sum = 0;

	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		sum += suspend_progress(vm).bytes_written + (vm->state == VM_SUSPENDED);
	}
	return sum;
}
