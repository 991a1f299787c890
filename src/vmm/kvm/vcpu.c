#include "vmm/kvm/vcpu.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VCPU_SIGNAL SIGUSR1

int vcpu_open(struct vcpu *v, struct vm *vm, unsigned index, struct err *e)
{
	void *run;

	v->vm = vm;
	v->index = index;
	v->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)index);
	if (v->fd < 0)
		return err_sys(e, "KVM does not make vCPU %u", index);
	run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, v->fd, 0);
	if (run == MAP_FAILED)
		return err_sys(e, "map vCPU %u", index);
	v->run = run;
	return 0;
}

void vcpu_close(struct vcpu *v)
{
	if (v->run)
		munmap(v->run, v->vm->run_size);
	v->run = NULL;
	fd_close(&v->fd);
}

/* Each item of a string instruction (`rep outsb`) is an access of its own. */
static void vcpu_port(struct vcpu *v)
{
	const struct vm *vm = v->vm;
	struct kvm_run *run = v->run;
	unsigned size = run->io.size;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	if ((uint64_t)run->io.count * size > vm->run_size - run->io.data_offset) {
		vm_end(v->vm, "KVM reports an access that is larger than its page");
		return;
	}
	vm->ops->lock(v->vm);
	for (uint32_t i = 0; i < run->io.count; i++, data += size)
		if (run->io.direction == KVM_EXIT_IO_IN)
			bus_read(vm->pio, run->io.port, data, size);
		else
			bus_write(vm->pio, run->io.port, data, size);
	vm->ops->unlock(v->vm);
}

static void vcpu_mmio(struct vcpu *v)
{
	const struct vm *vm = v->vm;
	struct kvm_run *run = v->run;
	uint32_t size = run->mmio.len;
	bool locks = !vm->ops->lockless || !vm->ops->lockless(run->mmio.phys_addr);

	if (!size || size > sizeof(run->mmio.data) || (size & (size - 1))) {
		memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
		return; /* an odd piece of a wide access: no device has one */
	}
	if (locks)
		vm->ops->lock(v->vm);
	if (run->mmio.is_write)
		bus_write(vm->mmio, run->mmio.phys_addr, run->mmio.data, size);
	else
		bus_read(vm->mmio, run->mmio.phys_addr, run->mmio.data, size);
	if (locks)
		vm->ops->unlock(v->vm);
}

static void vcpu_ends(struct vcpu *v, const char *why, uint64_t number)
{
	v->ended = true;
	vm_end(v->vm, "vCPU %u %s (0x%" PRIx64 ")", v->index, why, number);
}

/* Handle what KVM_RUN returned with. */
static void vcpu_exit(struct vcpu *v)
{
	const struct kvm_run *run = v->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		vcpu_port(v);
		break;
	case KVM_EXIT_MMIO:
		vcpu_mmio(v);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		break;
	case KVM_EXIT_SHUTDOWN:
		vcpu_ends(v, "faulted while it handled a fault: the guest's kernel is lost",
			  run->exit_reason);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		vcpu_ends(v, "has a state that the processor refuses",
			  run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		vcpu_ends(v, "did what KVM cannot do for it", run->internal.suberror);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		vcpu_ends(v, "asked for the end of the machine", run->system_event.type);
		break;
	default:
		vcpu_ends(v, "left KVM for an unknown reason", run->exit_reason);
	}
}

/* Run until the turn ends.  When KVM_RUN is entered again it first completes the access that was
 * served, and only then returns EINTR, so EINTR never leaves an access half done. */
static void vcpu_run(struct vcpu *v)
{
	const struct vm *vm = v->vm;

	while (!v->ended) {
		if (!ioctl(v->fd, KVM_RUN, 0))
			vcpu_exit(v);
		else if (errno != EINTR && errno != EAGAIN)
			vcpu_ends(v, "is not run by KVM any more", (uint64_t)errno);
		else if (errno == EINTR && !vm_runs(vm))
			return;
	}
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *v = arg;
	struct vm *vm = v->vm;
	uint32_t turn;

	atomic_store(&v->tid, (int)syscall(SYS_gettid));
	if (vm->ops->confine)
		vm->ops->confine(vm);
	while ((turn = atomic_load(&vm->turn)) != VM_OVER) {
		uint32_t due = turn % 2 ? turn : turn - 1;

		if (!turn || v->served == due) {
			syscall(SYS_futex, &vm->turn, FUTEX_WAIT_PRIVATE, turn, NULL, NULL, 0);
			continue;
		}
		v->served = due;
		vcpu_run(v);
		if (atomic_fetch_sub(&vm->n_inside, 1) == 1)
			syscall(SYS_futex, &vm->n_inside, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL,
				0);
	}
	return NULL;
}

/* The signal only has to interrupt KVM_RUN. */
static void vcpu_signal(int number)
{
	(void)number;
}

int vcpu_start(struct vcpu *v, struct err *e)
{
	const struct sigaction action = { .sa_handler = vcpu_signal };
	pthread_attr_t attr;
	void *stack;
	int error;

	if (!v->index && sigaction(VCPU_SIGNAL, &action, NULL) < 0)
		return err_sys(e, "take a signal");
	stack = mmap(NULL, VCPU_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack == MAP_FAILED)
		return err_sys(e, "map a stack");
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, stack, VCPU_STACK);
	error = pthread_create(&v->thread, &attr, vcpu_thread, v);
	pthread_attr_destroy(&attr);
	if (!error) {
		v->stack = stack;
		return 0;
	}
	munmap(stack, VCPU_STACK);
	errno = error;
	return err_sys(e, "make a thread for vCPU %u", v->index);
}

void vcpu_interrupt(struct vcpu *v)
{
	int tid;

	v->run->immediate_exit = 1;
	atomic_thread_fence(memory_order_seq_cst); /* the flag is there before the number is read */
	tid = atomic_load(&v->tid);
	if (tid) /* else it has not come to KVM_RUN yet, and will see the flag */
		syscall(SYS_tgkill, getpid(), tid, VCPU_SIGNAL);
}

void vcpu_join(struct vcpu *v)
{
	if (!v->stack)
		return;
	pthread_join(v->thread, NULL);
	munmap(v->stack, VCPU_STACK);
	v->stack = NULL;
}
