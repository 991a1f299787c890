#include "control/microvm/expiry.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/microvm/lifecycle_internal.h"

#define EXPIRY_TICK_MS      1000
#define EXPIRY_TOKENS_MS    600000
#define EXPIRY_LAST_BYTE_MS 10000 /* the idle clock is written at most so often */

bool expiry_idle(const struct microvm *vm, int64_t now)
{
	return vm->state == VM_RUNNING && vm->idle.given &&
	       now - vm->last_byte_ms >= vm->idle.max_idle_ms;
}

enum expiry_due expiry_due(const struct microvm *vm, int64_t now, int64_t keep_ms)
{
	if (vm->state == VM_TERMINATED)
		return now - vm->terminated_ms >= keep_ms ? DUE_FORGET : DUE_NOTHING;
	if (vm->state == VM_TERMINATING)
		return DUE_NOTHING;
	if (now - vm->started_ms >= vm->max_duration_ms)
		return DUE_LIFETIME;
	if (vm->state == VM_SUSPENDED && vm->idle.given &&
	    now - vm->suspended_ms >= vm->idle.suspended_ms)
		return DUE_SUSPENDED;
	return expiry_idle(vm, now) ? DUE_IDLE : DUE_NOTHING;
}

static void expiry_forget(struct microvm *vm)
{
	struct store_txn *t = store_begin(vm->ctl->store);

	store_del_microvm(t, vm->id);
	store_commit(t, NULL, NULL);
	lifecycle_forget(vm);
}

void expiry_look(struct microvm *vm, int64_t now)
{
	switch (expiry_due(vm, now, vm->ctl->conf->terminated_keep_ms)) {
	case DUE_NOTHING:
		break;
	case DUE_IDLE:
		if (!vm->ctl->draining)
			suspend_idle(vm, now);
		break;
	case DUE_SUSPENDED:
		/* One that is waking has been heard of in time. */
		if (!vm->starting)
			lifecycle_terminate(vm, "MicroVM exceeded maximum suspended duration.",
					    NULL, NULL);
		break;
	case DUE_LIFETIME:
		lifecycle_terminate(vm, "MicroVM exceeded maximum lifetime.", NULL, NULL);
		break;
	case DUE_FORGET:
		expiry_forget(vm);
		break;
	}
}

void expiry_active(struct microvm *vm, int64_t last_byte_ms)
{
	struct lifecycle *l = lifecycle_of(vm);
	struct store_txn *t;

	if (vm->state != VM_RUNNING || last_byte_ms <= vm->last_byte_ms)
		return;
	vm->last_byte_ms = last_byte_ms;
	/* A row that is on its way is newer in all but this. */
	if (l->committing || last_byte_ms - l->written_ms < EXPIRY_LAST_BYTE_MS)
		return;
	l->written_ms = last_byte_ms;
	t = store_begin(vm->ctl->store);
	model_put_microvm(t, vm);
	store_commit(t, NULL, NULL);
}

static void expiry_tick(uv_timer_t *timer)
{
	struct control *ctl = timer->loop->data;
	int64_t now = clock_wall_ms();

	if (!ctl->adopted)
		return;
	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		lifecycle_tick(vm);
		suspend_tick(vm, now);
		expiry_look(vm, now); /* may free it */
	}
	if (now - ctl->tokens_ms >= EXPIRY_TOKENS_MS) {
		struct store_txn *t = store_begin(ctl->store);

		ctl->tokens_ms = now;
		store_del_tokens_before(t, now - ctl->conf->token_keep_ms);
		store_commit(t, NULL, NULL);
	}
}

int expiry_open(struct control *ctl, struct err *e)
{
	if (uv_timer_init(&ctl->loop, &ctl->expiry_timer))
		return err_set(e, ERR_INTERNAL, "make a timer");
	uv_timer_start(&ctl->expiry_timer, expiry_tick, EXPIRY_TICK_MS, EXPIRY_TICK_MS);
	return 0;
}

void expiry_close(struct control *ctl)
{
	uv_timer_stop(&ctl->expiry_timer);
}
