#include "control/admission/admission.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/meminfo.h"

#define ADMISSION_TICK_MS 100

struct admission {
	const struct admission_ops *ops;
	struct turns memory; /* of struct admission_ticket */
	struct turns slots[ADMISSION_NUM_PRIORITIES];
	unsigned running[ADMISSION_NUM_PRIORITIES];
	uint64_t reserved;
	uv_timer_t tick; /* runs while a ticket waits for memory */
	uv_timer_t idle; /* a slot came free */
	bool granting;
};

bool admission_fits(const struct admission_memory *m, uint64_t bytes)
{
	uint64_t kept = m->total / 100 * (100 - m->percent);

	return m->available > kept && m->available - kept > m->reserved &&
	       m->available - kept - m->reserved >= bytes;
}

bool admission_may_start(const struct admission_load *l, enum admission_priority priority)
{
	if (priority == ADMISSION_POOL)
		return !l->waiting && !l->pool_running && l->running + 1 <= (l->at_once + 1) / 2;
	return l->running < l->at_once;
}

static void admission_read_memory(uint64_t *total, uint64_t *available)
{
	struct meminfo m;

	if (!meminfo_read(&m))
		log_err("/proc/meminfo cannot be read: no microVM can start");
	*total = m.total;
	*available = m.available;
}

uint64_t admission_total_memory(void)
{
	uint64_t total, available;

	admission_read_memory(&total, &available);
	return total;
}

bool admission_has_memory(struct control *ctl, uint64_t bytes)
{
	struct admission_memory m = { .reserved = ctl->admission->reserved,
				      .percent = (unsigned)ctl->conf->memory_percent };

	admission_read_memory(&m.total, &m.available);
	return admission_fits(&m, bytes);
}

static void admission_refuse(struct admission_ticket *ticket)
{
	struct err e;

	err_set(&e, ERR_CAPACITY,
		"The host has no memory left for another MicroVM. Suspend or terminate one, or try "
		"again later.");
	list_del(&ticket->in.in);
	ticket->waits_memory = false;
	ticket->granted(ticket, -1, &e);
}

static bool admission_refuse_late(struct control *ctl)
{
	int64_t now = clock_mono_ms();

	list_each(ticket, &ctl->admission->memory.waiting, struct admission_ticket, in.in)
	{
		if (ticket->deadline_ms < now && !admission_has_memory(ctl, ticket->bytes)) {
			admission_refuse(ticket);
			return true; /* the list may have changed */
		}
	}
	return false;
}

static void admission_grant_memory(struct control *ctl)
{
	struct admission *a = ctl->admission;

	while (admission_refuse_late(ctl))
		;
	while (!list_empty(&a->memory.waiting)) {
		struct admission_ticket *ticket =
			list_first(&a->memory.waiting, struct admission_ticket, in.in);

		if (!admission_has_memory(ctl, ticket->bytes)) {
			a->ops->reclaim(ctl);
			return;
		}
		list_del(&ticket->in.in);
		turns_serve(&a->memory, &ticket->in);
		ticket->waits_memory = false;
		ticket->has_memory = true;
		a->reserved += ticket->bytes;
		ticket->granted(ticket, 0, NULL);
	}
	uv_timer_stop(&a->tick);
}

static void admission_tick(uv_timer_t *timer)
{
	admission_grant_memory(timer->loop->data);
}

static void admission_grant_slots(struct control *ctl)
{
	struct admission *a = ctl->admission;

	if (a->granting)
		return; /* a `granted` has called us: the loop below, which called it, goes on */
	a->granting = true;
	for (enum admission_priority priority = 0; priority < ADMISSION_NUM_PRIORITIES;
	     priority++) {
		while (!list_empty(&a->slots[priority].waiting)) {
			struct admission_ticket *ticket = list_first(
				&a->slots[priority].waiting, struct admission_ticket, in.in);
			struct admission_load l = { .at_once = (unsigned)ctl->conf->start_at_once,
						    .running = a->running[ADMISSION_MICROVM],
						    .pool_running = a->running[ADMISSION_POOL],
						    .waiting = !list_empty(
							    &a->slots[ADMISSION_MICROVM].waiting) };

			if (!admission_may_start(&l, priority))
				break;
			list_del(&ticket->in.in);
			turns_serve(&a->slots[priority], &ticket->in);
			ticket->waits_slot = false;
			ticket->has_slot = true;
			a->running[priority]++;
			ticket->granted(ticket, 0, NULL);
		}
	}
	a->granting = false;
}

static void admission_idle(uv_timer_t *timer)
{
	admission_grant_slots(timer->loop->data);
}

int admission_open(struct control *ctl, const struct admission_ops *ops, struct err *e)
{
	struct admission *a = xcalloc(1, sizeof(*a));

	ctl->admission = a;
	a->ops = ops;
	turns_init(&a->memory);
	for (size_t i = 0; i < ADMISSION_NUM_PRIORITIES; i++)
		turns_init(&a->slots[i]);
	if (uv_timer_init(&ctl->loop, &a->tick) || uv_timer_init(&ctl->loop, &a->idle))
		return err_set(e, ERR_INTERNAL, "make a timer");
	return 0;
}

void admission_close(struct control *ctl)
{
	uv_timer_stop(&ctl->admission->tick);
	uv_timer_stop(&ctl->admission->idle);
}

void admission_wait_memory(struct control *ctl, struct admission_ticket *ticket, uint64_t bytes,
			   int64_t wait_ms,
			   void (*granted)(struct admission_ticket *ticket, int rc,
					   const struct err *e))
{
	struct admission *a = ctl->admission;

	ticket->ctl = ctl;
	ticket->granted = granted;
	ticket->bytes = bytes;
	ticket->deadline_ms = clock_mono_ms() + wait_ms;
	ticket->waits_memory = true;
	turns_add(&a->memory, &ticket->in);
	if (!uv_is_active((uv_handle_t *)&a->tick))
		uv_timer_start(&a->tick, admission_tick, ADMISSION_TICK_MS, ADMISSION_TICK_MS);
	admission_grant_memory(ctl);
}

void admission_wait_slot(struct control *ctl, struct admission_ticket *ticket,
			 enum admission_priority priority,
			 void (*granted)(struct admission_ticket *ticket, int rc,
					 const struct err *e))
{
	ticket->ctl = ctl;
	ticket->granted = granted;
	ticket->priority = priority;
	ticket->waits_slot = true;
	turns_add(&ctl->admission->slots[priority], &ticket->in);
	admission_grant_slots(ctl);
}

void admission_leave(struct admission_ticket *ticket)
{
	struct admission *a;

	if (!ticket->ctl)
		return;
	a = ticket->ctl->admission;
	if (ticket->waits_memory || ticket->waits_slot)
		list_del(&ticket->in.in);
	if (ticket->has_memory)
		a->reserved -= ticket->bytes;
	if (ticket->has_slot)
		a->running[ticket->priority]--;
	ticket->waits_memory = ticket->waits_slot = ticket->has_memory = ticket->has_slot = false;
	/* The next ones start from the loop, because the caller may be in the middle of a list. */
	if (!ticket->ctl->stopping)
		uv_timer_start(&a->idle, admission_idle, 0, 0);
	a->ops->freed(ticket->ctl);
}

void admission_wake(struct control *ctl)
{
	if (!list_empty(&ctl->admission->memory.waiting))
		admission_grant_memory(ctl);
}
