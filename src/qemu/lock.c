#include "qemu/lock.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define LOCK_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define LOCK_ARCH AUDIT_ARCH_AARCH64
#else
#error "no machine of this architecture"
#endif

#define LOCK_X32 0x40000000U /* x86-64: a second table of system calls */
#define LOCK_NAMESPACES                                                                            \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
	 CLONE_NEWCGROUP)

/* clang-format off */
static const uint32_t lock_denied[] = {
	/* other processes */
	SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, SYS_pidfd_getfd,
	SYS_perf_event_open,
	/* large interfaces */
	SYS_bpf, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_userfaultfd,
	SYS_keyctl, SYS_add_key, SYS_request_key, SYS_fanotify_init,
	/* namespaces and mounts */
	SYS_unshare, SYS_setns, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_move_mount,
	SYS_open_tree, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_mount_setattr,
	SYS_open_by_handle_at, SYS_name_to_handle_at, SYS_quotactl,
	/* the host */
	SYS_swapon, SYS_swapoff, SYS_reboot, SYS_kexec_load, SYS_init_module, SYS_finit_module,
	SYS_delete_module, SYS_acct, SYS_syslog, SYS_settimeofday, SYS_clock_settime, SYS_adjtimex,
	SYS_clock_adjtime, SYS_sethostname, SYS_setdomainname, SYS_vhangup, SYS_personality,
	SYS_migrate_pages, SYS_move_pages,
#if defined(__x86_64__)
	SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_kexec_file_load, SYS_uselib, SYS_ustat, SYS_sysfs,
#endif
};
/* clang-format on */

#define LOCK_MOST (ARRAY_SIZE(lock_denied) * 2 + 32)

struct lock {
	struct sock_filter at[LOCK_MOST];
	unsigned short n;
};

static void lock_add(struct lock *l, struct sock_filter what)
{
	assert(l->n < LOCK_MOST);
	l->at[l->n++] = what;
}

static void lock_load(struct lock *l, size_t offset)
{
	lock_add(l, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void lock_answer(struct lock *l, uint32_t error)
{
	lock_add(l, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error));
}

/* If what is loaded is this number, the next `n` instructions, else what is behind them. */
static void lock_if(struct lock *l, uint32_t number, uint8_t n)
{
	lock_add(l, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, n));
}

static void lock_foreign(struct lock *l)
{
	lock_load(l, offsetof(struct seccomp_data, arch));
	lock_add(l, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, LOCK_ARCH, 1, 0));
	lock_add(l, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	lock_load(l, offsetof(struct seccomp_data, nr));
	lock_add(l, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, LOCK_X32, 0, 1));
	lock_answer(l, ENOSYS);
}

/* The arguments of clone3 cannot be seen: the C library goes on to clone, where they can. */
static void lock_clone(struct lock *l)
{
	lock_if(l, SYS_clone3, 1);
	lock_answer(l, ENOSYS);
	lock_if(l, SYS_clone, 4);
	lock_load(l, offsetof(struct seccomp_data, args[0]));
	lock_add(l,
		 (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, LOCK_NAMESPACES, 0, 1));
	lock_answer(l, EPERM);
	lock_add(l, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

static void lock_socket(struct lock *l)
{
	lock_if(l, SYS_socket, 5);
	lock_load(l, offsetof(struct seccomp_data, args[0]));
	lock_add(l, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 2, 0));
	lock_add(l, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 1, 0));
	lock_answer(l, EAFNOSUPPORT);
	lock_add(l, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

int lock_kernel(struct err *e)
{
	struct lock l = { .n = 0 };
	struct sock_fprog program;

	lock_foreign(&l);
	for (size_t i = 0; i < ARRAY_SIZE(lock_denied); i++) {
		lock_if(&l, lock_denied[i], 1);
		lock_answer(&l, EPERM);
	}
	lock_clone(&l);
	lock_socket(&l);
	lock_add(&l, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	program = (struct sock_fprog){ l.n, l.at };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return err_sys(e, "set the system call filter");
	return 0;
}
