/* vm.h - a virtual machine of KVM: memory slots, interrupt controllers, vCPUs.
 *
 * life.h makes it, runs it and ends it.  What is here works on a machine that exists, so its vCPUs
 * and the processor's part of it may use it too.  Only the loop, which holds the devices' lock,
 * calls these functions; vm_end may be called by any thread. */
#ifndef VMM_KVM_VM_H
#define VMM_KVM_VM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/loop.h"
#include "vmm/bus.h"
#include "vmm/mem.h"
#include "vmm/processor/arch.h"

#define VM_VCPUS_MAX 16
#define VM_OVER      UINT32_MAX /* turn: the threads end */

struct vm;

struct vm_ops {
	/* The devices' lock, around an access of a vCPU to a device. */
	void (*lock)(struct vm *vm);
	void (*unlock)(struct vm *vm);
	/* Does an access to this guest address need no lock?  NULL if all need it. */
	bool (*lockless)(uint64_t gpa);
	/* Called first in each vCPU's thread, to set its system call filter.  May be NULL. */
	void (*confine)(struct vm *vm);
	/* Called in the loop, once, when the machine has ended, with the reason for a person. */
	void (*ended)(struct vm *vm, const char *why);
};

/* KVM's file of a virtual processor, the page that KVM shares, and the thread (vcpu.h). */
struct vcpu {
	struct vm *vm; /* borrowed */
	unsigned index;
	int fd;              /* owned */
	struct kvm_run *run; /* owned: vm->run_size bytes, shared with KVM */
	pthread_t thread;
	void *stack; /* owned; NULL: no thread */
	_Atomic int tid;
	uint32_t served; /* the thread's: the turn it ran last */
	bool ended;      /* the thread's: its guest cannot go on */
};

struct vm {
	const struct vm_ops *ops;
	const struct mem *mem;        /* borrowed */
	const struct bus *mmio, *pio; /* borrowed; not changed once the threads are there */
	int kvm_fd;                   /* borrowed: /dev/kvm */
	int fd;                       /* owned */
	size_t run_size;
	unsigned n_vcpus;
	struct vcpu vcpus[VM_VCPUS_MAX];
	struct arch_vm arch;

	/* Odd while the vCPUs should run.  Each vCPU serves each odd turn once. */
	_Atomic uint32_t turn;
	_Atomic uint32_t n_inside; /* vCPUs that have not yet left the last odd turn */

	int end_fd; /* owned eventfd: why is there */
	struct watch end_watch;
	_Atomic int end_state; /* 0, 1: being written, 2: written */
	char why[256];
};

/* A write to the eventfd raises the interrupt line @gsi (an edge). */
int vm_irqfd(struct vm *vm, int fd, uint32_t gsi, struct err *e) must_check;
/* A guest's 4-byte write to @gpa signals the eventfd and nothing else. */
int vm_ioeventfd(struct vm *vm, int fd, uint64_t gpa, struct err *e) must_check;

bool vm_runs(const struct vm *vm);

/* The machine has ended.  Only the first call counts; ops->ended follows in the loop. */
void vm_end(struct vm *vm, const char *fmt, ...) printf_like(2, 3);

/* An ioctl of the VM (or of a vCPU) that must succeed; "KVM does not @what: ..." */
int vm_ioctl(int fd, unsigned long request, void *arg, const char *what, struct err *e) must_check;

#endif
