/* gen_filters.c - writes the seccomp filters of doze-vmm's threads as C arrays, at build time.
 *
 * This file alone says what a thread may call once the board is open.  No rule lets it open a file,
 * make a process, a thread or a socket, or map executable memory.  mmap fills the guest's window,
 * or replaces a part of it (for a kernel).  Any other call raises SIGSYS, and jail.c names it. */

#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/filter.h>

#include "base/base.h"
#include "machine/scan.h"

#define MASKED(n, mask, v)                                                              \
	{                                                                               \
		.arg = (n), .op = SCMP_CMP_MASKED_EQ, .datum_a = (mask), .datum_b = (v) \
	}
/* The kernel reads only 32 bits of a request, and a C library may extend their sign. */
#define REQUEST(n) MASKED(1, 0xffffffffU, n)

struct rule {
	const char *call;
	unsigned n;
	struct scmp_arg_cmp args[2];
};

/* clang-format off */
static const struct rule vcpu_rules[] = {
	{ "ioctl", 1, { REQUEST(KVM_RUN) } },
	{ "futex", 0, { { 0 } } },
	{ "write", 0, { { 0 } } },          /* eventfds; the log */
	{ "writev", 0, { { 0 } } },
	{ "clock_gettime", 0, { { 0 } } },
	{ "madvise", 0, { { 0 } } },        /* a stack, when a thread ends */
	{ "rt_sigprocmask", 0, { { 0 } } },
	{ "rt_sigreturn", 0, { { 0 } } },
	{ "exit", 0, { { 0 } } },
	{ "exit_group", 0, { { 0 } } },
};

/* The disk thread can use the disk's files and reach nothing else. */
static const struct rule disk_rules[] = {
	{ "pread64", 0, { { 0 } } },
	{ "preadv", 0, { { 0 } } },
	{ "pwrite64", 0, { { 0 } } },
	{ "pwritev", 0, { { 0 } } },
	{ "fallocate", 0, { { 0 } } },
	{ "ftruncate", 0, { { 0 } } },
	{ "fstat", 0, { { 0 } } },
	{ "futex", 0, { { 0 } } },
	{ "write", 0, { { 0 } } },          /* eventfds; the log */
	{ "writev", 0, { { 0 } } },
	{ "clock_gettime", 0, { { 0 } } },
	{ "madvise", 0, { { 0 } } },
	{ "rt_sigprocmask", 0, { { 0 } } },
	{ "rt_sigreturn", 0, { { 0 } } },
	{ "exit", 0, { { 0 } } },
	{ "exit_group", 0, { { 0 } } },
};

/* The rules of the loop's thread. */
static const struct rule loop_rules[] = {
	{ "epoll_pwait", 0, { { 0 } } },
	{ "epoll_ctl", 0, { { 0 } } },
	{ "accept4", 0, { { 0 } } },
	{ "recvmsg", 0, { { 0 } } },
	{ "sendmsg", 0, { { 0 } } },
	{ "shutdown", 0, { { 0 } } },
	{ "read", 0, { { 0 } } },
	{ "readv", 0, { { 0 } } },
	{ "write", 0, { { 0 } } },
	{ "writev", 0, { { 0 } } },
	{ "pread64", 0, { { 0 } } },
	{ "preadv", 0, { { 0 } } },
	{ "pwrite64", 0, { { 0 } } },
	{ "pwritev", 0, { { 0 } } },
	{ "close", 0, { { 0 } } },
	{ "fstat", 0, { { 0 } } },
	{ "ftruncate", 0, { { 0 } } },
	{ "fallocate", 0, { { 0 } } },
	{ "fsync", 0, { { 0 } } },
	{ "mmap", 2, { MASKED(3, MAP_FIXED_NOREPLACE, MAP_FIXED_NOREPLACE), MASKED(2, PROT_EXEC, 0) } },
	{ "mmap", 2, { MASKED(3, MAP_FIXED, MAP_FIXED), MASKED(2, PROT_EXEC, 0) } },
	{ "madvise", 0, { { 0 } } },
	{ "ioctl", 1, { REQUEST(TUNSETOFFLOAD) } },
	{ "ioctl", 1, { REQUEST(SCAN_REQUEST) } },
	{ "ioctl", 1, { REQUEST(KVM_KVMCLOCK_CTRL) } },
	{ "ioctl", 1, { REQUEST(KVM_GET_MP_STATE) } },
	{ "ioctl", 1, { REQUEST(KVM_SET_MP_STATE) } },
	{ "ioctl", 1, { REQUEST(KVM_GET_REGS) } },
	{ "ioctl", 1, { REQUEST(KVM_SET_REGS) } },
	{ "ioctl", 1, { REQUEST(KVM_GET_SREGS) } },
	{ "ioctl", 1, { REQUEST(KVM_SET_SREGS) } },
	{ "ioctl", 1, { REQUEST(KVM_GET_XSAVE) } },
	{ "ioctl", 1, { REQUEST(KVM_SET_XSAVE) } },
	{ "ioctl", 1, { REQUEST(KVM_GET_XCRS) } },
	{ "ioctl", 1, { REQUEST(KVM_SET_XCRS) } },
	{ "ioctl", 1, { REQUEST(KVM_GET_DEBUGREGS) } },
	{ "ioctl", 1, { REQUEST(KVM_SET_DEBUGREGS) } },
	{ "ioctl", 1, { REQUEST(KVM_GET_LAPIC) } },
	{ "ioctl", 1, { REQUEST(KVM_SET_LAPIC) } },
	{ "ioctl", 1, { REQUEST(KVM_GET_MSRS) } },
	{ "ioctl", 1, { REQUEST(KVM_SET_MSRS) } },
	{ "ioctl", 1, { REQUEST(KVM_GET_MSR_INDEX_LIST) } },
	{ "ioctl", 1, { REQUEST(KVM_GET_VCPU_EVENTS) } },
	{ "ioctl", 1, { REQUEST(KVM_SET_VCPU_EVENTS) } },
	{ "ioctl", 1, { REQUEST(KVM_GET_IRQCHIP) } },
	{ "ioctl", 1, { REQUEST(KVM_SET_IRQCHIP) } },
	{ "ioctl", 1, { REQUEST(KVM_GET_DEVICE_ATTR) } },
	{ "ioctl", 1, { REQUEST(KVM_SET_DEVICE_ATTR) } },
	{ "ioctl", 1, { REQUEST(KVM_GET_CLOCK) } },
	{ "ioctl", 1, { REQUEST(KVM_SET_CLOCK) } },
	{ "ioctl", 1, { REQUEST(KVM_SET_CPUID2) } },
	{ "ioctl", 1, { REQUEST(KVM_GET_TSC_KHZ) } },
	{ "futex", 0, { { 0 } } },
	{ "getpid", 0, { { 0 } } },
	{ "tgkill", 0, { { 0 } } },         /* to stop a vCPU */
	{ "clock_gettime", 0, { { 0 } } },
	{ "getrandom", 0, { { 0 } } },
	{ "rt_sigprocmask", 0, { { 0 } } },
	{ "rt_sigreturn", 0, { { 0 } } },
	{ "exit_group", 0, { { 0 } } },
};

static const struct {
	const char *name;
	const struct rule *rules;
	size_t n;
} filters[] = {
	{ "vcpu", vcpu_rules, ARRAY_SIZE(vcpu_rules) },
	{ "disk", disk_rules, ARRAY_SIZE(disk_rules) },
	{ "loop", loop_rules, ARRAY_SIZE(loop_rules) },
};
/* clang-format on */

static void check(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "gen_filters: %s: error %d\n", what, -rc);
	exit(1);
}

/* The program begins with an instruction that does nothing.  When the kernel loads a filter it runs
 * it for every call number, to learn which calls are allowed whatever their arguments.  That costs
 * more than the rest of loading, but it stops at the first instruction that is not a comparison.
 * The result would save little here: a monitor's threads make few calls, and most of them are
 * ioctl. */
static void print_program(const char *name, FILE *from)
{
	struct sock_filter f;
	unsigned n = 0;

	rewind(from);
	printf("static struct sock_filter filter_%s[] = {\n\t{ 0x%04x, 0, 0, 0 },\n", name,
	       BPF_LDX | BPF_IMM);
	for (; fread(&f, sizeof(f), 1, from) == 1; n++)
		printf("\t{ 0x%04x, %u, %u, 0x%08x },\n", f.code, f.jt, f.jf, f.k);
	printf("};\n\n");
	if (!n)
		check(-1, "an empty filter");
}

static void print_filter(const char *name, const struct rule *rules, size_t n)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	FILE *file = tmpfile();

	check(ctx && file ? 0 : -1, "begin");
	check(seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2), "a binary tree");
	for (size_t i = 0; i < n; i++) {
		int call = seccomp_syscall_resolve_name(rules[i].call);

		check(call == __NR_SCMP_ERROR ? -1 : 0, rules[i].call);
		check(seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, rules[i].n, rules[i].args),
		      rules[i].call);
	}
	check(seccomp_export_bpf(ctx, fileno(file)), "export");
	print_program(name, file);
	seccomp_release(ctx);
	fclose(file);
}

static void print_names(void)
{
	printf("static const char *const filter_calls[] = {\n");
	for (int n = 0; n < 512; n++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, n);

		if (name)
			printf("\t[%d] = \"%s\",\n", n, name);
		free(name);
	}
	printf("};\n");
}

int main(void)
{
	printf("/* Made by gen_filters.c. */\n#include <linux/filter.h>\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++)
		print_filter(filters[i].name, filters[i].rules, filters[i].n);
	print_names();
	return 0;
}
