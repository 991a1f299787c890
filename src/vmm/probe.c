#include "vmm/probe.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"

#define PROBE_MEMORY   (64 * KIB)
#define PROBE_LOOPS    200000U
#define PROBE_MAX_NS   20000000ULL  /* CPU time of the loop; a slower host emulates */
#define PROBE_FIRST_NS 500000000ULL /* until the first exit, which is slow on a nested host */
#define PROBE_TICK_NS  2000000L
#define PROBE_CODE     0x1000
#define PROBE_PML4     0x2000
#define PROBE_PDPT     0x3000
#define PROBE_PD       0x4000

/* Instructions that kernels use and KVM's emulator does not know, and then a counted loop. */
static const uint8_t probe_code[] = {
	0x66, 0x0f, 0xef, 0xc0,       /* pxor %xmm0, %xmm0 */
	0x66, 0x0f, 0xfe, 0xc1,       /* paddd %xmm1, %xmm0 */
	0xf3, 0x48, 0x0f, 0xb8, 0xc1, /* popcnt %rcx, %rax */
	0xe6, 0xf4,                   /* out %al, $0xf4 */
	0xff, 0xc9, 0x75, 0xfc,       /* 1: dec %ecx; jnz 1b */
	0xe6, 0xf4,                   /* out %al, $0xf4 */
	0xf4,                         /* hlt */
};

struct probe {
	int vm, vcpu;
	uint8_t *memory;
	struct kvm_run *run;
	size_t run_size;
	char *why;
	size_t size;
};

static struct kvm_run *probe_running; /* for the signal handler only */

static void probe_tick(int signal)
{
	(void)signal;
	if (probe_running)
		probe_running->immediate_exit = 1;
}

static uint64_t probe_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static bool probe_no(struct probe *p, const char *what)
{
	snprintf(p->why, p->size, "/dev/kvm does not %s: %s", what, strerror(errno));
	return false;
}

static bool probe_emulated(struct probe *p)
{
	snprintf(p->why, p->size,
		 "/dev/kvm only emulates kernel code here: this host has no hardware "
		 "virtualization, or its own hypervisor does not pass it on");
	return false;
}

static bool probe_make(struct probe *p, int kvm)
{
	struct kvm_userspace_memory_region r = { .memory_size = PROBE_MEMORY };
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	void *at;

	if (ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION || size <= 0)
		return probe_no(p, "speak KVM's version 12");
	p->run_size = (size_t)size;
	p->vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (p->vm < 0)
		return probe_no(p, "make a virtual machine");
	at = mmap(NULL, PROBE_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return probe_no(p, "find memory");
	p->memory = at;
	r.userspace_addr = (uintptr_t)at;
	p->vcpu = ioctl(p->vm, KVM_SET_USER_MEMORY_REGION, &r) ? -1
							       : ioctl(p->vm, KVM_CREATE_VCPU, 0);
	if (p->vcpu < 0)
		return probe_no(p, "make a vCPU");
	at = mmap(NULL, p->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, p->vcpu, 0);
	if (at == MAP_FAILED)
		return probe_no(p, "share a vCPU");
	p->run = at;
	return true;
}

static void probe_put(struct probe *p, size_t at, uint64_t v)
{
	memcpy(p->memory + at, &v, sizeof(v));
}

/* 64-bit kernel mode, the first 2 MiB at their own addresses, SSE on. */
static bool probe_set_up(struct probe *p, int kvm)
{
	static struct {
		uint32_t n, zero;
		struct kvm_cpuid_entry2 entry[256];
	} cpuid; /* laid out as struct kvm_cpuid2 */
	struct kvm_segment code = {
		.limit = ~0U, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1
	};
	struct kvm_segment data = {
		.limit = ~0U, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1
	};
	struct kvm_regs regs = {
		.rip = PROBE_CODE, .rsp = 0x8000, .rflags = 2, .rcx = PROBE_LOOPS
	};
	struct kvm_sregs s;

	cpuid.n = ARRAY_SIZE(cpuid.entry);
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid) || ioctl(p->vcpu, KVM_SET_CPUID2, &cpuid) ||
	    ioctl(p->vcpu, KVM_GET_SREGS, &s))
		return probe_no(p, "show a CPU");
	probe_put(p, PROBE_PML4, PROBE_PDPT | 7);
	probe_put(p, PROBE_PDPT, PROBE_PD | 7);
	probe_put(p, PROBE_PD, 0x87);
	memcpy(p->memory + PROBE_CODE, probe_code, sizeof(probe_code));
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.cr0 = 0x80050033;
	s.cr3 = PROBE_PML4;
	s.cr4 = 0x620;
	s.efer = 0x500;
	if (ioctl(p->vcpu, KVM_SET_SREGS, &s) || ioctl(p->vcpu, KVM_SET_REGS, &regs))
		return probe_no(p, "take registers");
	return true;
}

/* Run until the guest's next `out`.  False if it does not come within @most_ns of this thread's CPU
 * time, or ten times that of wall time. */
static bool probe_until_out(struct probe *p, uint64_t most_ns)
{
	uint64_t cpu = probe_ns(CLOCK_THREAD_CPUTIME_ID), wall = probe_ns(CLOCK_MONOTONIC);

	for (;;) {
		p->run->immediate_exit = 0;
		if (!ioctl(p->vcpu, KVM_RUN, 0))
			return p->run->exit_reason == KVM_EXIT_IO;
		if (errno != EINTR || probe_ns(CLOCK_THREAD_CPUTIME_ID) - cpu > most_ns ||
		    probe_ns(CLOCK_MONOTONIC) - wall > 10 * most_ns)
			return false;
	}
}

static bool probe_run(struct probe *p)
{
	const struct itimerspec every = { { 0, PROBE_TICK_NS }, { 0, PROBE_TICK_NS } };
	struct sigaction act = { .sa_handler = probe_tick };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	bool runs;
	timer_t timer;

	sigaction(SIGALRM, &act, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer))
		return probe_no(p, "be bounded by a timer");
	probe_running = p->run;
	timer_settime(timer, 0, &every, NULL);
	runs = probe_until_out(p, PROBE_FIRST_NS) && probe_until_out(p, PROBE_MAX_NS);
	timer_delete(timer);
	probe_running = NULL;
	if (!runs)
		return probe_emulated(p);
	snprintf(p->why, p->size, "/dev/kvm runs guests on this CPU");
	return true;
}

bool probe_kvm(int kvm_fd, char *why, size_t size)
{
	struct probe p = { .vm = -1, .vcpu = -1, .why = why, .size = size };
	bool usable = probe_make(&p, kvm_fd) && probe_set_up(&p, kvm_fd) && probe_run(&p);

	if (p.run)
		munmap(p.run, p.run_size);
	fd_close(&p.vcpu);
	fd_close(&p.vm);
	if (p.memory)
		munmap(p.memory, PROBE_MEMORY);
	return usable;
}
