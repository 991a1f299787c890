#include "vmm/life.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/kvm/vcpu.h"
#include "vmm/processor/arch.h"

static int vm_add_memory(struct vm *vm, struct err *e)
{
	for (unsigned i = 0; i < vm->mem->n_ranges; i++) {
		const struct mem_range *r = &vm->mem->range[i];
		struct kvm_userspace_memory_region slot = {
			.slot = i,
			.guest_phys_addr = r->gpa,
			.memory_size = r->size,
			.userspace_addr = (uintptr_t)(vm->mem->window + r->offset),
		};

		if (vm_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot, "take the memory", e) < 0)
			return -1;
	}
	return 0;
}

/* Memory slots come first, because a new slot waits for readers once the interrupt controllers
 * exist. */
static int vm_make(struct vm *vm, struct err *e)
{
	int size;

	vm->fd = vm_ioctl(vm->kvm_fd, KVM_CREATE_VM, NULL, "make a virtual machine", e);
	if (vm->fd < 0 || vm_add_memory(vm, e) < 0 || arch_vm_open(vm, e) < 0)
		return -1;
	size = vm_ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, NULL, "tell a vCPU's size", e);
	if (size < 0)
		return -1;
	vm->run_size = (size_t)size;
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if (vcpu_open(&vm->vcpus[i], vm, i, e) < 0)
			return -1;
	return arch_vcpus_open(vm, e);
}

int vm_open(struct vm *vm, const struct vm_ops *ops, int kvm_fd, const struct mem *mem,
	    unsigned n_vcpus, struct err *e)
{
	*vm = (struct vm){ .ops = ops, .kvm_fd = kvm_fd, .mem = mem, .fd = -1, .end_fd = -1 };
	if (n_vcpus < 1 || n_vcpus > VM_VCPUS_MAX)
		return err_set(e, ERR_INVALID, "a machine has 1 to %d vCPUs", VM_VCPUS_MAX);
	vm->n_vcpus = n_vcpus;
	for (unsigned i = 0; i < n_vcpus; i++)
		vm->vcpus[i].fd = -1;
	vm->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->end_fd < 0)
		err_sys(e, "make an eventfd");
	else if (!vm_make(vm, e))
		return 0;
	vm_close(vm);
	return -1;
}

static void vm_end_ready(struct watch *w, uint32_t events)
{
	struct vm *vm = container_of(w, struct vm, end_watch);
	uint64_t n;

	(void)events;
	if (read(vm->end_fd, &n, sizeof(n)) == sizeof(n) && atomic_load(&vm->end_state) == 2)
		vm->ops->ended(vm, vm->why);
}

int vm_start(struct vm *vm, const struct bus *mmio, const struct bus *pio, struct loop *l,
	     struct err *e)
{
	vm->mmio = mmio;
	vm->pio = pio;
	if (l && loop_watch(l, &vm->end_watch, vm->end_fd, EPOLLIN, vm_end_ready, e) < 0)
		return -1;
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if (vcpu_start(&vm->vcpus[i], e) < 0)
			return -1;
	return 0;
}

static void vm_futex(_Atomic uint32_t *word, int op, uint32_t value)
{
	syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

void vm_close(struct vm *vm)
{
	vm_pause(vm);
	atomic_store(&vm->turn, VM_OVER);
	vm_futex(&vm->turn, FUTEX_WAKE, INT_MAX);
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		vcpu_join(&vm->vcpus[i]);
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		vcpu_close(&vm->vcpus[i]);
	arch_vm_close(vm);
	fd_close(&vm->fd);
	fd_close(&vm->end_fd);
	vm->n_vcpus = 0;
}

void vm_resume(struct vm *vm)
{
	if (vm_runs(vm))
		return;
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		vm->vcpus[i].run->immediate_exit = 0;
	atomic_store(&vm->n_inside, vm->n_vcpus);
	atomic_fetch_add(&vm->turn, 1);
	vm_futex(&vm->turn, FUTEX_WAKE, INT_MAX);
}

void vm_pause(struct vm *vm)
{
	uint32_t left;

	if (!vm_runs(vm))
		return;
	atomic_fetch_add(&vm->turn, 1);
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		vcpu_interrupt(&vm->vcpus[i]);
	/* One of them may be waiting for the lock, to end its access. */
	vm->ops->unlock(vm);
	while ((left = atomic_load(&vm->n_inside)))
		vm_futex(&vm->n_inside, FUTEX_WAIT, left);
	vm->ops->lock(vm);
	/* A guest must not trust its watchdogs after it was stopped.  One without KVM's clock
	 * cannot be told. */
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		ioctl(vm->vcpus[i].fd, KVM_KVMCLOCK_CTRL, 0);
}
