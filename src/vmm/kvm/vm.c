#include "vmm/kvm/vm.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

int vm_ioctl(int fd, unsigned long request, void *arg, const char *what, struct err *e)
{
	int got;

	do
		got = ioctl(fd, request, arg);
	while (got < 0 && errno == EINTR);
	return got < 0 ? err_sys(e, "KVM does not %s", what) : got;
}

int vm_irqfd(struct vm *vm, int fd, uint32_t gsi, struct err *e)
{
	struct kvm_irqfd irq = { .fd = (uint32_t)fd, .gsi = gsi };

	return vm_ioctl(vm->fd, KVM_IRQFD, &irq, "take an interrupt's eventfd", e);
}

int vm_ioeventfd(struct vm *vm, int fd, uint64_t gpa, struct err *e)
{
	struct kvm_ioeventfd io = { .addr = gpa, .len = 4, .fd = fd };

	return vm_ioctl(vm->fd, KVM_IOEVENTFD, &io, "take a register's eventfd", e);
}

bool vm_runs(const struct vm *vm)
{
	return atomic_load(&vm->turn) % 2;
}

void vm_end(struct vm *vm, const char *fmt, ...)
{
	const uint64_t one = 1;
	int expected = 0;
	va_list args;
	ssize_t n;

	if (!atomic_compare_exchange_strong(&vm->end_state, &expected, 1))
		return;
	va_start(args, fmt);
	vsnprintf(vm->why, sizeof(vm->why), fmt, args);
	va_end(args);
	atomic_store(&vm->end_state, 2);
	n = write(vm->end_fd, &one, sizeof(one));
	assert(n == sizeof(one)); /* an eventfd takes its first count */
}
