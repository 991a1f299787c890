#include "cli/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define KERNEL_LEAST     5012 /* mount_setattr, close_range */
#define FILES_LEAST      65536
#define PIDS_LEAST       32768
#define MAPS_LEAST       65530
#define CERTIFICATE_DAYS 30
#define DISK_BAD         (2 * 1024) /* MiB */
#define DISK_WARN        (20 * 1024)

const char *const doctor_level_name[DOCTOR_NUM_LEVELS] = { "ok", "warn", "bad" };

static void say_it(struct doctor_says *to, enum doctor_level level, const char *fmt, ...)
	printf_like(3, 4);

static void say_it(struct doctor_says *to, enum doctor_level level, const char *fmt, ...)
{
	va_list ap;

	to->level = level;
	va_start(ap, fmt);
	vsnprintf(to->text, sizeof(to->text), fmt, ap);
	va_end(ap);
}

static void judge_kvm(const struct doctor_fact *f, struct doctor_says *to)
{
	say_it(to, f->n ? DOCTOR_OK : DOCTOR_WARN, "%s%s", f->text,
	       f->n ? "" : ": microVMs run on QEMU's software CPU, 10 to 25 times slower");
}

static void judge_cgroups(const struct doctor_fact *f, struct doctor_says *to)
{
	static const char *const needed[] = { " memory", " cpu", " pids" };

	if (!f->there) {
		say_it(to, DOCTOR_BAD,
		       "no cgroups are mounted, and doze needs them to limit each microVM: "
		       "mount /sys/fs/cgroup");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		const char *at = f->text;
		size_t n = strlen(needed[i]);

		while ((at = strstr(at, needed[i])) && at[n] && at[n] != ' ')
			at += n;
		if (!at) {
			say_it(to, DOCTOR_BAD,
			       "version %d without%s: enable it on the kernel's command line",
			       (int)f->n, needed[i]);
			return;
		}
	}
	say_it(to, DOCTOR_OK, "version %d with%s", (int)f->n, f->text);
}

static void judge_favor(const struct doctor_fact *f, struct doctor_says *to)
{
	if (!f->there || f->n)
		say_it(to, DOCTOR_OK, "%s",
		       f->n ? "favordynmods is on" : "does not matter without KVM");
	else
		say_it(to, DOCTOR_WARN,
		       "starting a VM can wait 10 ms for the kernel's cgroup locks: mount the "
		       "cgroups with favordynmods");
}

static void judge_kernel(const struct doctor_fact *f, struct doctor_says *to)
{
	if (f->n < KERNEL_LEAST)
		say_it(to, DOCTOR_BAD, "%s is too old: doze needs 5.12 or newer", f->text);
	else
		say_it(to, DOCTOR_OK, "%s", f->text);
}

static void judge_smt(const struct doctor_fact *f, struct doctor_says *to)
{
	if (f->there && f->n)
		say_it(to, DOCTOR_WARN,
		       "on: guests that do not trust each other can share a core; put nosmt on "
		       "the kernel's command line to prevent that");
	else
		say_it(to, DOCTOR_OK, "off");
}

static void judge_ksm(const struct doctor_fact *f, struct doctor_says *to)
{
	if (f->n)
		say_it(to, DOCTOR_WARN,
		       "on: merged pages let guests learn about each other's memory; turn it off "
		       "with echo 2 > /sys/kernel/mm/ksm/run");
	else
		say_it(to, DOCTOR_OK, "off");
}

static void judge_thp(const struct doctor_fact *f, struct doctor_says *to)
{
	if (strstr(f->text, "[always]"))
		say_it(to, DOCTOR_WARN,
		       "always: a clone's first write to a page can take 2 MiB; use echo madvise > "
		       "/sys/kernel/mm/transparent_hugepage/enabled");
	else
		say_it(to, DOCTOR_OK, "%s", f->there ? f->text : "none");
}

static void judge_nx_pages(const struct doctor_fact *f, struct doctor_says *to)
{
	if (!f->there)
		say_it(to, DOCTOR_OK, "does not matter without KVM");
	else if (*f->text == 'Y')
		say_it(to, DOCTOR_WARN,
		       "on: starting the first VM waits for a kernel thread; on a CPU that is "
		       "safe without it, boot with kvm.nx_huge_pages=off");
	else
		say_it(to, DOCTOR_OK, "off");
}

/* Judges a limit that should not be lower than @least. */
static void judge_least(const struct doctor_fact *f, struct doctor_says *to, int64_t least,
			const char *advice)
{
	if (f->there && f->n < least)
		say_it(to, DOCTOR_WARN, "%lld, less than %lld: %s", (long long)f->n,
		       (long long)least, advice);
	else
		say_it(to, DOCTOR_OK, "%lld", (long long)f->n);
}

static void judge_files(const struct doctor_fact *f, struct doctor_says *to)
{
	judge_least(f, to, FILES_LEAST, "raise LimitNOFILE in the unit, or ulimit -Hn");
}

static void judge_pids(const struct doctor_fact *f, struct doctor_says *to)
{
	judge_least(f, to, PIDS_LEAST, "use sysctl kernel.pid_max=4194304");
}

static void judge_maps(const struct doctor_fact *f, struct doctor_says *to)
{
	judge_least(f, to, MAPS_LEAST, "use sysctl vm.max_map_count=262144");
}

static void judge_nftables(const struct doctor_fact *f, struct doctor_says *to)
{
	if (f->there)
		say_it(to, DOCTOR_OK, "%s", f->text);
	else
		say_it(to, DOCTOR_BAD,
		       "nft is not installed, and guests would have no network: install nftables");
}

static void judge_disk(const struct doctor_fact *f, struct doctor_says *to)
{
	enum doctor_level level = !f->there || f->n < DISK_BAD ? DOCTOR_BAD
				  : f->n < DISK_WARN           ? DOCTOR_WARN
							       : DOCTOR_OK;

	say_it(to, level, "%lld MiB free at %s%s", (long long)f->n, f->text,
	       level == DOCTOR_OK ? "" : ": images and build layers need more");
}

static void judge_filesystem(const struct doctor_fact *f, struct doctor_says *to)
{
	say_it(to, f->there ? DOCTOR_OK : DOCTOR_BAD, "%s, %s", f->text,
	       !f->there
		       ? "which has no sparse files, so that disks take their full size: use ext4, "
			 "xfs or btrfs for the data directory"
	       : f->n ? "files can share blocks"
		      : "sparse files");
}

static void judge_clock(const struct doctor_fact *f, struct doctor_says *to)
{
	static const char *const good[] = { "tsc", "kvm-clock", "arch_sys_counter" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!strcmp(f->text, good[i])) {
			say_it(to, DOCTOR_OK, "%s", f->text);
			return;
		}
	say_it(to, DOCTOR_WARN,
	       "%s: reading the time costs a system call or more, where tsc would cost none",
	       f->there ? f->text : "unknown");
}

static void judge_certificates(const struct doctor_fact *f, struct doctor_says *to)
{
	if (!f->there)
		say_it(to, DOCTOR_OK, "doze's own");
	else if (f->n == DOCTOR_UNREAD)
		say_it(to, DOCTOR_WARN,
		       "the file of %s cannot be read; as root this says when it ends", f->text);
	else if (f->n < 0)
		say_it(to, DOCTOR_BAD, "that of %s has expired: renew it, then run doze reload",
		       f->text);
	else
		say_it(to, f->n < CERTIFICATE_DAYS ? DOCTOR_WARN : DOCTOR_OK,
		       "that of %s ends in %lld days%s", f->text, (long long)f->n,
		       f->n < CERTIFICATE_DAYS ? ": renew it, then run doze reload" : "");
}

static const struct {
	const char *name;
	void (*judge)(const struct doctor_fact *f, struct doctor_says *to);
} doctor_checks[] = {
	[DOCTOR_KVM] = { "kvm", judge_kvm },
	[DOCTOR_CGROUPS] = { "cgroups", judge_cgroups },
	[DOCTOR_FAVOR] = { "favordynmods", judge_favor },
	[DOCTOR_KERNEL] = { "kernel", judge_kernel },
	[DOCTOR_SMT] = { "smt", judge_smt },
	[DOCTOR_KSM] = { "ksm", judge_ksm },
	[DOCTOR_THP] = { "huge pages", judge_thp },
	[DOCTOR_NX_PAGES] = { "nx_huge_pages", judge_nx_pages },
	[DOCTOR_FILES] = { "open files", judge_files },
	[DOCTOR_PIDS] = { "pid_max", judge_pids },
	[DOCTOR_MAPS] = { "max_map_count", judge_maps },
	[DOCTOR_NFTABLES] = { "nftables", judge_nftables },
	[DOCTOR_DISK] = { "disk", judge_disk },
	[DOCTOR_FILESYSTEM] = { "file system", judge_filesystem },
	[DOCTOR_CLOCK] = { "clock", judge_clock },
	[DOCTOR_CERTIFICATES] = { "certificates", judge_certificates },
};
static_assert(ARRAY_SIZE(doctor_checks) == DOCTOR_NUM, "one row per check");

const char *doctor_name(enum doctor_check check)
{
	return doctor_checks[check].name;
}

void doctor_judge(enum doctor_check check, const struct doctor_fact *f, struct doctor_says *to)
{
	doctor_checks[check].judge(f, to);
}
