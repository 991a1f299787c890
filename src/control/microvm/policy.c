#include "control/microvm/policy.h"

#define POLICY_CPU_LEAST_MS 1000  /* a measurement */
#define POLICY_CPU_MOST_MS  60000 /* one over a longer time says nothing of now */

static int64_t policy_later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t policy_sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t policy_last_sign(const struct microvm *vm, int64_t boot_ms)
{
	int64_t byte_ms = vm->since.last_byte_ms, work_ms = byte_ms;

	if (vm->awake.signs.cpu_percent || vm->awake.signs.lease)
		work_ms = policy_later(work_ms, vm->work.cpu_ms);
	if (vm->awake.signs.lease)
		work_ms = policy_later(work_ms, policy_sooner(vm->work.until_ms, boot_ms));
	return policy_sooner(work_ms, byte_ms + vm->awake.most_ms);
}

void policy_note_cpu(struct microvm *vm, uint64_t cpu_ns, int64_t boot_ms)
{
	int64_t passed_ms = boot_ms - vm->work.seen_ms;
	bool measured =
		vm->work.seen_ms && cpu_ns >= vm->work.seen_ns && passed_ms <= POLICY_CPU_MOST_MS;

	if (measured && passed_ms < POLICY_CPU_LEAST_MS)
		return;
	if (measured)
		vm->work.cpu_percent =
			(uint32_t)((cpu_ns - vm->work.seen_ns) / ((uint64_t)passed_ms * 10000));
	if (measured && vm->awake.signs.cpu_percent &&
	    vm->work.cpu_percent >= vm->awake.signs.cpu_percent)
		vm->work.cpu_ms = boot_ms;
	vm->work.seen_ms = boot_ms;
	vm->work.seen_ns = cpu_ns;
}

void policy_note_lease(struct microvm *vm, int64_t lease_ms, int64_t boot_ms)
{
	if (vm->awake.signs.lease)
		vm->work.until_ms = boot_ms + policy_sooner(lease_ms, vm->awake.most_ms);
}

void policy_begin_work(struct microvm *vm, int64_t boot_ms)
{
	vm->work.cpu_ms = boot_ms;
}

bool policy_idle(const struct microvm *vm, int64_t boot_ms)
{
	return vm->state == VM_RUNNING && vm->idle.given &&
	       boot_ms - policy_last_sign(vm, boot_ms) >= vm->idle.max_idle_ms;
}

enum policy_due policy_due(const struct microvm *vm, int64_t boot_ms, int64_t keep_ms)
{
	if (vm->state == VM_TERMINATED)
		return boot_ms - vm->since.terminated_ms >= keep_ms ? DUE_FORGET : DUE_NOTHING;
	if (vm->state == VM_TERMINATING)
		return DUE_NOTHING;
	if (boot_ms - vm->since.started_ms >= vm->max_duration_ms)
		return DUE_LIFETIME;
	if (vm->state == VM_SUSPENDED && vm->idle.given &&
	    boot_ms - vm->since.suspended_ms >= vm->idle.suspended_ms)
		return DUE_SUSPENDED;
	return policy_idle(vm, boot_ms) ? DUE_IDLE : DUE_NOTHING;
}

int64_t policy_since(int64_t then_wall_ms, int64_t wall_ms, int64_t boot_ms)
{
	int64_t age_ms = wall_ms - then_wall_ms;

	return age_ms > 0 ? boot_ms - age_ms : boot_ms;
}

void policy_begin(struct microvm *vm, int64_t wall_ms, int64_t boot_ms)
{
	vm->since.started_ms = policy_since(vm->started_ms, wall_ms, boot_ms);
	vm->since.last_byte_ms = policy_since(vm->last_byte_ms, wall_ms, boot_ms);
	vm->since.suspended_ms = policy_since(vm->suspended_ms, wall_ms, boot_ms);
	vm->since.terminated_ms = policy_since(vm->terminated_ms, wall_ms, boot_ms);
}

bool policy_note_byte(struct microvm *vm, int64_t last_byte_ms, int64_t wall_ms, int64_t boot_ms)
{
	int64_t since_ms = policy_since(last_byte_ms, wall_ms, boot_ms);

	if (since_ms <= vm->since.last_byte_ms)
		return false;
	vm->since.last_byte_ms = since_ms;
	vm->last_byte_ms = last_byte_ms;
	return true;
}
