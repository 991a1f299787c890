#include "ipc/engine.h"

#include <string.h>

#include "base/limits.h"

/* clang-format off */
const struct engine engines[PRIV_NUM_MACHINE_KINDS] = {
	[PRIV_MACHINE_QEMU] = { .name = "qemu", .title = "QEMU's software CPU",
		.sealed_memory = true, .qcow2 = true, .translates = true, .memory_bytes = 48 * MIB },
	[PRIV_MACHINE_VMM] = { .name = "vmm", .title = "KVM",
		.needs_kvm = true, .spares = true, .memory_bytes = 1 * MIB },
};
/* clang-format on */

int engine_kind(const char *name)
{
	if (!name)
		return PRIV_MACHINE_QEMU;
	for (int i = 0; i < PRIV_NUM_MACHINE_KINDS; i++)
		if (!strcmp(engines[i].name, name))
			return i;
	return -1;
}
