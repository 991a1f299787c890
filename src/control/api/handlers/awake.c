/* awake.c - /doze/v1/microvms/{id}/awake: what keeps a microVM awake besides bytes. */

#include "control/microvm/awake.h"
#include "base/clock.h"
#include "control/api/call.h"
#include "control/api/handlers/handlers.h"
#include "control/api/resolve.h"
#include "control/microvm/policy.h"

static json_t *awake_seconds(int64_t ms)
{
	return json_integer(ms > 0 ? (json_int_t)((ms + 999) / 1000) : 0);
}

static json_t *awake_answer(const struct microvm *vm)
{
	int64_t now_ms = clock_boot_ms();
	json_t *o = model_awake_words(&vm->awake.signs);

	json_object_set_new(o, "maximumSeconds", awake_seconds(vm->awake.most_ms));
	json_object_set_new(o, "cpuPercentNow",
			    vm->state == VM_RUNNING && vm->work.seen_ms
				    ? json_integer((json_int_t)vm->work.cpu_percent)
				    : json_null());
	json_object_set_new(o, "leaseSeconds",
			    awake_seconds(vm->work.until_ms ? vm->work.until_ms - now_ms : 0));
	json_object_set_new(o, "idleSeconds",
			    vm->state == VM_RUNNING
				    ? awake_seconds(now_ms - policy_last_sign(vm, now_ms))
				    : json_null());
	return o;
}

void doze_get_awake(struct call *c)
{
	const struct microvm *vm = call_microvm(c);

	if (vm)
		call_answer(c, awake_answer(vm));
}

/* It may have been forgotten while the store was writing. */
static void awake_done(void *arg, int rc, const struct err *e)
{
	struct call *c = arg;
	const struct microvm *vm = rc ? NULL : call_microvm(c);

	if (rc)
		call_fail(c, e);
	else if (vm)
		call_answer(c, awake_answer(vm));
}

void doze_set_awake(struct call *c)
{
	struct microvm *vm = call_microvm(c);
	const struct awake a = {
		.cpu_percent = (uint32_t)call_number(c, "cpuPercent", 0),
		.lease = json_is_true(json_object_get(c->in, "lease")),
	};

	if (vm)
		awake_set(vm, &a, awake_done, c);
}
