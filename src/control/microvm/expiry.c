#include "control/microvm/expiry.h"

#include "base/clock.h"
#include "base/steady.h"
#include "control/microvm/awake.h"
#include "control/microvm/guest_role.h"
#include "control/microvm/lifecycle.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/microvm/policy.h"
#include "control/microvm/suspend.h"
#include "control/model/log_stream.h"
#include "control/model/model.h"
#include "control/store/store.h"

#define EXPIRY_TICK_MS   1000
#define EXPIRY_TOKENS_MS 600000

static void expiry_forget(struct microvm *vm)
{
	struct store_txn *t = store_begin(vm->ctl->store);

	/* If this is not durable, the row is there at the next start, and is forgotten then. */
	store_del_microvm(t, vm->id);
	if (log_stream_shown(vm->stream))
		log_stream_put(t, vm->stream);
	store_commit(t, NULL, NULL);
	lifecycle_forget(vm);
}

/* This may free the microVM. */
static void expiry_check(struct microvm *vm, int64_t boot_ms)
{
	switch (policy_due(vm, boot_ms, vm->ctl->conf->terminated_keep_ms)) {
	case DUE_NOTHING:
		break;
	case DUE_IDLE:
		if (!vm->ctl->draining)
			suspend_if_idle(vm);
		break;
	case DUE_SUSPENDED:
		if (!vm->starting &&
		    !vm->machine) /* one that is waking has been heard of in time */
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

static void expiry_drop_tokens(struct control *ctl)
{
	int64_t now = steady_ms();
	struct store_txn *t;

	if (now - ctl->tokens_ms < EXPIRY_TOKENS_MS)
		return;
	ctl->tokens_ms = now;
	t = store_begin(ctl->store);
	store_del_tokens_before(t, now - ctl->conf->token_keep_ms);
	store_commit(t, NULL, NULL);
}

static void expiry_tick(uv_timer_t *timer)
{
	struct control *ctl = timer->loop->data;
	int64_t boot_ms = clock_boot_ms();

	if (!ctl->adopted)
		return;
	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		lifecycle_tick(vm);
		suspend_tick(vm, clock_mono_ms());
		awake_tick(vm, boot_ms);
		guest_role_tick(vm, boot_ms);
		expiry_check(vm, boot_ms);
	}
	expiry_drop_tokens(ctl);
}

int expiry_open(struct control *ctl, struct err *e)
{
	if (uv_timer_init(&ctl->loop, &ctl->expiry_timer))
		return err_set(e, ERR_INTERNAL, "make a timer");
	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		policy_begin(vm, steady_or_wall(), clock_boot_ms());
		policy_begin_work(vm, clock_boot_ms());
	}
	uv_timer_start(&ctl->expiry_timer, expiry_tick, EXPIRY_TICK_MS, EXPIRY_TICK_MS);
	return 0;
}

void expiry_close(struct control *ctl)
{
	uv_timer_stop(&ctl->expiry_timer);
}

/* They stay for their time, whatever becomes of their version. */

void lifecycle_keep_ended(struct control *ctl, const struct image_version *v, struct store_txn *t)
{
	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		if (vm->version != v || vm->state != VM_TERMINATED)
			continue;
		model_keep_without_version(vm);
		model_put_microvm(t, vm);
	}
}

void lifecycle_part_ended(struct control *ctl, const struct image_version *v)
{
	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		if (vm->version == v && vm->state == VM_TERMINATED)
			vm->version = NULL;
	}
}
