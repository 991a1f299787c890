#include "vmm/arch/x86_64/tsc.h"

#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#define TSC_VERSION 1

/* Read the offset that KVM adds to the host's counter for this vCPU.  Returns -1 if the kernel does
 * not tell it (before 5.16). */
static int tsc_offset(const struct vcpu *c, unsigned long request, uint64_t *offset)
{
	struct kvm_device_attr attr = { .group = KVM_VCPU_TSC_CTRL,
					.attr = KVM_VCPU_TSC_OFFSET,
					.addr = (uintptr_t)offset };

	return ioctl(c->fd, request, &attr);
}

void tsc_save(const struct vm *vm, struct buf *to)
{
	uint64_t first, other;
	size_t mark;

	for (unsigned i = 1; i < vm->n_vcpus; i++) {
		if (tsc_offset(&vm->vcpus[0], KVM_GET_DEVICE_ATTR, &first) ||
		    tsc_offset(&vm->vcpus[i], KVM_GET_DEVICE_ATTR, &other))
			return;
		other -= first;
		mark = record_begin(to, "TSCO", i, TSC_VERSION);
		buf_add(to, &other, sizeof(other));
		record_end(to, mark);
	}
}

/* KVM keeps counters in step if they are set within a second of each other.  On a host that is
 * slower than that they would drift apart. */
int tsc_load(const struct vm *vm, struct rows *rows, struct err *e)
{
	uint64_t offset, distance;
	struct record r;

	for (unsigned i = 1; i < vm->n_vcpus; i++) {
		if (record_find(rows, "TSCO", i, TSC_VERSION, &r, e) || r.size != sizeof(distance))
			return 0; /* of a kernel that does not say */
		memcpy(&distance, r.data, sizeof(distance));
		if (tsc_offset(&vm->vcpus[0], KVM_GET_DEVICE_ATTR, &offset))
			return err_sys(e, "read the counter's offset");
		offset += distance;
		if (tsc_offset(&vm->vcpus[i], KVM_SET_DEVICE_ATTR, &offset))
			return err_sys(e, "set the counter's offset of vCPU %u", i);
	}
	return 0;
}
