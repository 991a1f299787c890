#include "priv/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/io.h"
#include "priv/privdrop.h"

int userns_open_proc(struct err *e)
{
	autoclose int fs = fsopen("proc", FSOPEN_CLOEXEC);
	int proc;

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "subset", "pid", 0) ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "hidepid", "ptraceable", 0) ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return err_sys(e, "make a procfs");
	proc = fsmount(fs, FSMOUNT_CLOEXEC,
		       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return proc < 0 ? err_sys(e, "make a procfs") : proc;
}

static int userns_write(int proc, const char *name, const char *text, struct err *e)
{
	autofree char *path = xasprintf("self/%s", name);
	autoclose int fd = openat(proc, path, O_WRONLY | O_CLOEXEC);
	int rc = fd < 0 ? -errno : io_write_full(fd, text, strlen(text));

	errno = -rc;
	return rc ? err_sys(e, "write %s", name) : 0;
}

/* The owner of a namespace may map its own id without any capability outside, and there is none
 * left by now.
 */
int userns_enter(int proc, uid_t uid, struct err *e)
{
	autofree char *map = xasprintf("%u %u 1\n", uid, uid);

	/* Some hosts forbid plain users to make namespaces, so the capability must survive the
	 * change of ids. */
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP))
		return err_sys(e, "set securebits");
	if (privdrop_ids(uid, uid, e))
		return -1;
	if (unshare(CLONE_NEWUSER))
		return err_sys(e, "make a user namespace");
	/* A change of ids makes the process undumpable, and /proc/self then belongs to the host's
	 * root. */
	if (prctl(PR_SET_DUMPABLE, 1))
		return err_sys(e, "own /proc/self");
	return userns_write(proc, "setgroups", "deny", e) ||
			       userns_write(proc, "uid_map", map, e) ||
			       userns_write(proc, "gid_map", map, e)
		       ? -1
		       : 0;
}
