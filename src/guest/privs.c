#include "guest/container.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"

#define CAPS_DEFAULT  0x00000000a80425fbULL /* Docker's */
#define CAPS_ALL      0x000001ffffffffffULL
#define NOFILE        1024
#define NOFILE_ALL    1048576
#define PRIVS_ETC_MAX (1 * MIB)

/* A missing, malformed or overlong file counts as empty. */
static void privs_read(const char *path, struct buf *b)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || io_read_all(fd, b, PRIVS_ETC_MAX))
		buf_clear(b);
}

int privs_lookup(const struct app_spec *s, struct user *u, struct err *e)
{
	autobuf struct buf passwd = { 0 }, group = { 0 };

	privs_read("/etc/passwd", &passwd);
	privs_read("/etc/group", &group);
	return user_resolve(s->user ? s->user : "", &passwd, &group, u, e);
}

static int privs_bound(uint64_t caps, struct err *e)
{
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (!(caps >> cap & 1) && prctl(PR_CAPBSET_DROP, cap))
			return err_sys(e, "drop capability %lu", cap);
	return 0;
}

static int privs_identity(const struct user *u, struct err *e)
{
	gid_t groups[USER_GROUPS + 1] = { u->gid }; /* Docker's lists hold the user's own group. */

	memcpy(groups + 1, u->groups, u->n_groups * sizeof(*groups));
	if (setgroups(u->n_groups + 1, groups) || setresgid(u->gid, u->gid, u->gid) ||
	    setresuid(u->uid, u->uid, u->uid))
		return err_sys(e, "become user %u, group %u", u->uid, u->gid);
	return 0;
}

/* Root keeps what the bounding set allows, and any other user nothing.  None is inheritable. */
static int privs_caps(uint64_t caps, struct err *e)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	uint64_t kept = getuid() ? 0 : caps;
	struct __user_cap_data_struct sets[2] = {
		{ .effective = (uint32_t)kept, .permitted = (uint32_t)kept },
		{ .effective = (uint32_t)(kept >> 32), .permitted = (uint32_t)(kept >> 32) },
	};

	return syscall(SYS_capset, &head, sets) ? err_sys(e, "set the capabilities") : 0;
}

/* The kernel derives the number of processes from the memory.  The cgroup limits them for all users
 * together, so no user needs a limit of his own. */
static int privs_limits(const struct app_spec *s, struct err *e)
{
	rlim_t files = s->all_caps ? NOFILE_ALL : NOFILE;
	const struct rlimit open_files = { .rlim_cur = files, .rlim_max = files };
	const struct rlimit processes = { .rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY };

	if (setrlimit(RLIMIT_NOFILE, &open_files) || setrlimit(RLIMIT_NPROC, &processes))
		return err_sys(e, "set the limits");
	return 0;
}

int privs_drop(const struct app_spec *s, const struct user *u, struct err *e)
{
	uint64_t caps = s->all_caps ? CAPS_ALL : CAPS_DEFAULT;

	if (privs_limits(s, e) || privs_bound(caps, e) || privs_identity(u, e) ||
	    privs_caps(caps, e))
		return -1;
	if (s->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_sys(e, "refuse new privileges");
	return 0;
}
