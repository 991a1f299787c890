#include "priv/seccomp_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

#define FILTER_NEW_NAMESPACES                                                                      \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
	 CLONE_NEWCGROUP)

/* clang-format off */
static const int seccomp_filter_refused[] = {
	/* namespaces and mounts */
	SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root),
	SCMP_SYS(chroot), SCMP_SYS(fsopen), SCMP_SYS(fspick), SCMP_SYS(fsmount), SCMP_SYS(fsconfig),
	SCMP_SYS(open_tree), SCMP_SYS(move_mount), SCMP_SYS(mount_setattr), SCMP_SYS(quotactl),
	SCMP_SYS(quotactl_fd), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(mknod), SCMP_SYS(mknodat),
	SCMP_SYS(name_to_handle_at), SCMP_SYS(open_by_handle_at), SCMP_SYS(fanotify_init),
	/* the kernel's larger surfaces */
	SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(add_key), SCMP_SYS(request_key),
	SCMP_SYS(keyctl), SCMP_SYS(ptrace), SCMP_SYS(process_vm_writev), SCMP_SYS(kcmp),
	SCMP_SYS(lookup_dcookie), SCMP_SYS(vmsplice), SCMP_SYS(move_pages), SCMP_SYS(migrate_pages),
	/* the machine as a whole */
	SCMP_SYS(reboot), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(init_module),
	SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(acct), SCMP_SYS(syslog),
	SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(clock_adjtime), SCMP_SYS(adjtimex),
	SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(vhangup), SCMP_SYS(iopl),
	SCMP_SYS(ioperm), SCMP_SYS(modify_ldt), SCMP_SYS(personality),
};

/* A machine's process needs TCP to its guest and socket pairs of its own, nothing else. */
static const int seccomp_filter_families[] = { AF_UNIX, AF_INET };
/* clang-format on */

static int seccomp_filter_sockets(scmp_filter_ctx ctx)
{
	int rc = 0;

	/* Families are small numbers, so each one but those two is refused. */
	for (int family = 0; family < AF_MAX && !rc; family++) {
		bool spoken = false;

		for (size_t i = 0; i < ARRAY_SIZE(seccomp_filter_families); i++)
			spoken |= seccomp_filter_families[i] == family;
		if (!spoken)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket),
					      1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family, 0));
	}
	return rc ? rc
		  : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_GE, AF_MAX, 0));
}

/* A filter cannot see the flags of clone3, which are behind a pointer. The C library falls back to
 * clone. */
static int seccomp_filter_clones(scmp_filter_ctx ctx)
{
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	for (int bit = 0; bit < 32 && !rc; bit++) {
		scmp_datum_t flag = 1ULL << bit;

		if (flag & FILTER_NEW_NAMESPACES)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
					      SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag));
	}
	return rc;
}

static int seccomp_filter_rules(scmp_filter_ctx ctx)
{
	int rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);

	for (size_t i = 0; i < ARRAY_SIZE(seccomp_filter_refused) && !rc; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), seccomp_filter_refused[i], 0);
	rc = rc ? rc : seccomp_filter_clones(ctx);
	return rc ? rc : seccomp_filter_sockets(ctx);
}

static int seccomp_filter_export(struct seccomp_filter *f, scmp_filter_ctx ctx)
{
	autoclose int fd = memfd_create("filter", MFD_CLOEXEC);
	struct stat st;
	int rc = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);

	if (rc)
		return rc;
	if (fstat(fd, &st) || lseek(fd, 0, SEEK_SET))
		return -errno;
	f->size = (size_t)st.st_size;
	f->program = xmalloc(f->size);
	return io_read_full(fd, f->program, f->size);
}

int seccomp_filter_make(struct seccomp_filter *f, struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int rc = ctx ? seccomp_filter_rules(ctx) : -ENOMEM;

	*f = (struct seccomp_filter){ 0 };
	rc = rc ? rc : seccomp_filter_export(f, ctx);
	seccomp_release(ctx);
	errno = -rc;
	return rc ? err_sys(e, "make the filter of system calls") : 0;
}

void seccomp_filter_free(struct seccomp_filter *f)
{
	free(f->program);
	*f = (struct seccomp_filter){ 0 };
}

int seccomp_filter_load(const struct seccomp_filter *f, struct err *e)
{
	struct sock_fprog program = {
		.len = (unsigned short)(f->size / sizeof(struct sock_filter)),
		.filter = f->program,
	};

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return err_sys(e, "filter system calls");
	return 0;
}
