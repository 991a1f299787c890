#include "control/microvm/policy.h"

bool policy_idle(const struct microvm *vm, int64_t boot_ms)
{
	return vm->state == VM_RUNNING && vm->idle.given &&
	       boot_ms - vm->since.last_byte_ms >= vm->idle.max_idle_ms;
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
