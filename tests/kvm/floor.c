/* floor.c - the least that a restore can cost: what every monitor must ask of KVM, and nothing
 * else.
 *
 * `floor FILE MIB`: a VM of MIB of memory that is FILE, mapped copy-on-write, an irqchip, one vCPU
 * with the host's CPUID, registers that start it at 0x1000 in real mode; at its first exit, which
 * must be an OUT, one byte goes to stdout, and the program waits to be killed, so that its costs
 * can be read.  `floor FILE MIB timeline` says instead how long each step took and ends.  No libc:
 * exec and a libc's start are part of what a monitor can save.  src/vmm is measured against it. */

#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>

#define ENTRY     0x1000
#define MAX_STEPS 16
#define MAX_CPUID 100
#define WIDTH     12

static struct {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entries[MAX_CPUID];
} cpuid;

static struct {
	const char *name;
	int64_t at_ns;
} steps[MAX_STEPS];
static unsigned n_steps;
static int want_steps;

static long floor_call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static long floor_ioctl(int fd, unsigned long request, const void *arg)
{
	return floor_call(__NR_ioctl, fd, (long)request, (long)arg, 0, 0, 0);
}

static void *floor_map(unsigned long size, int flags, int fd)
{
	return (void *)floor_call(__NR_mmap, 0, (long)size, PROT_READ | PROT_WRITE, flags, fd, 0);
}

static void floor_say(const char *text)
{
	long size = 0;

	while (text[size])
		size++;
	floor_call(__NR_write, 1, (long)text, size, 0, 0, 0);
}

static void floor_exit(int status)
{
	floor_call(__NR_exit_group, status, 0, 0, 0, 0, 0);
	__builtin_unreachable();
}

static int64_t floor_now(void)
{
	struct timespec t;

	floor_call(__NR_clock_gettime, CLOCK_MONOTONIC, (long)&t, 0, 0, 0, 0);
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A step is done; one that failed ends the program. */
static long floor_step(const char *name, long result)
{
	if (result < 0) {
		floor_say(name);
		floor_say(" failed\n");
		floor_exit(1);
	}
	if (want_steps && n_steps < MAX_STEPS) {
		steps[n_steps].at_ns = floor_now();
		steps[n_steps++].name = name;
	}
	return result;
}

static void floor_say_number(int64_t value)
{
	char text[WIDTH + 2];
	int i = WIDTH;

	text[WIDTH + 1] = 0;
	text[WIDTH] = ' ';
	do {
		text[--i] = (char)('0' + value % 10);
		value /= 10;
	} while (value && i);
	while (i)
		text[--i] = ' ';
	floor_say(text);
}

static void floor_say_steps(void)
{
	for (unsigned i = 1; i < n_steps; i++) {
		floor_say_number(steps[i].at_ns - steps[0].at_ns);
		floor_say_number(steps[i].at_ns - steps[i - 1].at_ns);
		floor_say(steps[i].name);
		floor_say("\n");
	}
}

static void floor_memory(int vm, const char *path, unsigned long size)
{
	int file = (int)floor_step(
		"open memory", floor_call(__NR_open, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0, 0));
	void *at = floor_map(size, MAP_PRIVATE | MAP_NORESERVE, file);
	struct kvm_userspace_memory_region region = { .memory_size = size,
						      .userspace_addr = (uint64_t)at };

	floor_step("mmap memory", (long)at);
	floor_step("KVM_SET_USER_MEMORY_REGION",
		   floor_ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region));
}

static void floor_registers(int vcpu)
{
	struct kvm_regs regs = { .rip = ENTRY, .rflags = 2 };
	struct kvm_sregs sregs;

	floor_step("KVM_GET_SREGS", floor_ioctl(vcpu, KVM_GET_SREGS, &sregs));
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	floor_step("KVM_SET_SREGS", floor_ioctl(vcpu, KVM_SET_SREGS, &sregs));
	floor_step("KVM_SET_REGS", floor_ioctl(vcpu, KVM_SET_REGS, &regs));
}

static void floor_restore(const char *path, unsigned long size)
{
	int kvm = (int)floor_step("open /dev/kvm", floor_call(__NR_open, (long)"/dev/kvm",
							      O_RDWR | O_CLOEXEC, 0, 0, 0, 0));
	int vm = (int)floor_step("KVM_CREATE_VM", floor_ioctl(kvm, KVM_CREATE_VM, 0));
	const struct kvm_run *run;
	long room;
	int vcpu;

	floor_memory(vm, path, size);
	floor_step("KVM_CREATE_IRQCHIP", floor_ioctl(vm, KVM_CREATE_IRQCHIP, 0));
	vcpu = (int)floor_step("KVM_CREATE_VCPU", floor_ioctl(vm, KVM_CREATE_VCPU, 0));
	room = floor_ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	run = floor_map((unsigned long)floor_step("KVM_GET_VCPU_MMAP_SIZE", room), MAP_SHARED,
			vcpu);
	floor_step("mmap vCPU", (long)run);
	cpuid.head.nent = MAX_CPUID;
	floor_step("KVM_GET_SUPPORTED_CPUID", floor_ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid));
	floor_step("KVM_SET_CPUID2", floor_ioctl(vcpu, KVM_SET_CPUID2, &cpuid));
	floor_registers(vcpu);
	floor_step("KVM_RUN", floor_ioctl(vcpu, KVM_RUN, 0));
	floor_step("first exit is OUT", run->exit_reason == KVM_EXIT_IO ? 0 : -1);
}

__attribute__((used)) void floor_main(const long *stack);
void floor_main(const long *stack)
{
	const char *const *argv = (const char *const *)(stack + 1);
	unsigned long mib = 0;

	if (stack[0] < 3) {
		floor_say("usage: floor FILE MIB [timeline]\n");
		floor_exit(2);
	}
	for (const char *p = argv[2]; *p; p++)
		mib = mib * 10 + (unsigned long)(*p - '0');
	want_steps = stack[0] > 3;
	floor_step("start", 0);
	floor_restore(argv[1], mib << 20);
	if (want_steps) {
		floor_say_steps();
		floor_exit(0);
	}
	floor_say("\n");
	floor_call(__NR_pause, 0, 0, 0, 0, 0, 0);
	floor_exit(0);
}

__asm__(".globl _start\n_start: mov %rsp, %rdi\nand $-16, %rsp\ncall floor_main");
