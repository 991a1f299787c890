#include "priv/privdrop.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PRIVDROP_BITS                                                           \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED | \
	 SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |                \
	 SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

int privdrop_ids(uid_t uid, gid_t gid, struct err *e)
{
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return err_sys(e, "become user %u", uid);
	return 0;
}

static int privdrop_bounding(struct err *e)
{
	for (unsigned long cap = 0; cap <= 63; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) && errno != EINVAL)
			return err_sys(e, "drop capability %lu", cap);
	return 0;
}

int privdrop_limits(unsigned files, struct err *e)
{
	const struct rlimit core = { 0, 0 };
	struct rlimit fds;

	if (getrlimit(RLIMIT_NOFILE, &fds))
		return err_sys(e, "read limits");
	fds.rlim_max = fds.rlim_max < files ? fds.rlim_max : files;
	fds.rlim_cur = fds.rlim_max;
	if (setrlimit(RLIMIT_CORE, &core) || setrlimit(RLIMIT_NOFILE, &fds))
		return err_sys(e, "set limits");
	return 0;
}

/* These are set while the process may still change them. */
static int privdrop_ways_back(unsigned files, struct err *e)
{
	umask(077);
	if (privdrop_limits(files, e) || privdrop_bounding(e))
		return -1;
	return prctl(PR_SET_SECUREBITS, PRIVDROP_BITS) ? err_sys(e, "set securebits") : 0;
}

static int privdrop_capabilities(struct err *e)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capset, &head, none))
		return err_sys(e, "drop capabilities");
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? err_sys(e, "forbid new privileges") : 0;
}

int privdrop_all(const struct privdrop *d, struct err *e)
{
	if (privdrop_ways_back(d->files, e) || privdrop_ids(d->uid, d->gid, e))
		return -1;
	return privdrop_capabilities(e);
}

int privdrop_rights(unsigned files, struct err *e)
{
	return privdrop_ways_back(files, e) || privdrop_capabilities(e) ? -1 : 0;
}
