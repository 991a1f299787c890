#include "vmm/jail.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sanitize.h"
#include "filters.h"

static const char *jail_name(int call)
{
	const char *name = NULL;

	if (call >= 0 && (size_t)call < ARRAY_SIZE(filter_calls))
		name = filter_calls[call];
	return name ? name : "unknown";
}

/* The handler may call only write and exit_group, which every filter allows. */
static void jail_violated(int signal, siginfo_t *info, void *context)
{
	static const char begin[] = "doze-vmm: ended, it made the forbidden system call ";
	const char *name = jail_name(info->si_syscall);

	(void)signal;
	(void)context;
	(void)!write(STDERR_FILENO, begin, sizeof(begin) - 1);
	(void)!write(STDERR_FILENO, name, strlen(name));
	(void)!write(STDERR_FILENO, "\n", 1);
	_exit(128 + SIGSYS);
}

int jail_prepare(struct err *e)
{
	struct sigaction act = { .sa_sigaction = jail_violated, .sa_flags = SA_SIGINFO };

	if (sigaction(SIGSYS, &act, NULL))
		return err_sys(e, "handle SIGSYS");
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? err_sys(e, "forbid new privileges") : 0;
}

static int jail_load(struct sock_filter *filter, size_t n)
{
	struct sock_fprog program = { (unsigned short)n, filter };

	if (BUILT_WITH_ASAN)
		return 0;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) ? -errno : 0;
}

int jail_loop(struct err *e)
{
	int rc = jail_load(filter_loop, ARRAY_SIZE(filter_loop));

	errno = -rc;
	return rc ? err_sys(e, "filter system calls") : 0;
}

int jail_vcpu(void)
{
	return jail_load(filter_vcpu, ARRAY_SIZE(filter_vcpu));
}

int jail_disk(void)
{
	return jail_load(filter_disk, ARRAY_SIZE(filter_disk));
}
