#include "priv/jail_root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* These are links on a merged-/usr system and directories elsewhere. */
static const char *const jail_root_usr[] = { "bin", "sbin", "lib", "lib32", "lib64" };

static const struct {
	const char *path;
	unsigned major, minor;
} jail_root_nodes[] = { { "dev/null", 1, 3 }, { "dev/urandom", 1, 9 } };

/* Mounts a copy of what is mounted at @from, with everything below it, read-only at @to in the new
 * root. */
static int jail_root_bind(const char *from, const char *to, struct err *e)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
					       MOUNT_ATTR_NODEV };
	autoclose int tree =
		open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (tree < 0)
		return err_sys(e, "take '%s'", from);
	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)))
		return err_sys(e, "make '%s' read-only", from);
	if (move_mount(tree, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH))
		return err_sys(e, "bind '%s'", from);
	return 0;
}

static int jail_root_directory(const char *from, const char *to, struct err *e)
{
	if (mkdir(to, 0755))
		return err_sys(e, "make '%s'", to);
	return jail_root_bind(from, to, e);
}

static int jail_root_link_or_bind(const char *name, struct err *e)
{
	autofree char *from = xasprintf("/%s", name);
	char target[PATH_MAX];
	ssize_t n = readlink(from, target, sizeof(target) - 1);

	if (n < 0 && errno == ENOENT)
		return 0;
	if (n < 0)
		return jail_root_directory(from, name, e);
	target[n] = '\0';
	return symlink(target, name) ? err_sys(e, "link '%s'", name) : 0;
}

static int jail_root_programs(const char *libexec, struct err *e)
{
	autoclose int cache = -1;

	if (jail_root_directory("/usr", "usr", e) ||
	    jail_root_directory(libexec, &JAIL_ROOT_LIBEXEC[1], e))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(jail_root_usr); i++)
		if (jail_root_link_or_bind(jail_root_usr[i], e))
			return -1;
	if (mkdir("etc", 0755))
		return err_sys(e, "make /etc");
	if (access("/etc/ld.so.cache", R_OK))
		return 0; /* without it the loader still finds the libraries, more slowly */
	cache = open("etc/ld.so.cache", O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
	return cache < 0 ? err_sys(e, "make ld.so.cache")
			 : jail_root_bind("/etc/ld.so.cache", "etc/ld.so.cache", e);
}

static int jail_root_kernel(struct err *e)
{
	if (mkdir("proc", 0555) || mkdir("dev", 0755))
		return err_sys(e, "make /proc and /dev");
	if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return err_sys(e, "mount /proc");
	for (size_t i = 0; i < ARRAY_SIZE(jail_root_nodes); i++) {
		dev_t node = makedev(jail_root_nodes[i].major, jail_root_nodes[i].minor);

		if (mknod(jail_root_nodes[i].path, S_IFCHR | 0666, node) ||
		    chmod(jail_root_nodes[i].path, 0666))
			return err_sys(e, "make '/%s'", jail_root_nodes[i].path);
	}
	return 0;
}

static int jail_root_begin(const char *stage, const char *options, struct err *e)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return err_sys(e, "make mounts private");
	if (mount("doze", stage, "tmpfs", MS_NOSUID | MS_NOEXEC, options))
		return err_sys(e, "mount a root on '%s'", stage);
	return chdir(stage) ? err_sys(e, "enter '%s'", stage) : 0;
}

static int jail_root_change(struct err *e)
{
	const unsigned long fixed = MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NOEXEC;

	if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
		return err_sys(e, "change the root");
	return mount(NULL, "/", NULL, fixed, NULL) ? err_sys(e, "make the root read-only") : 0;
}

int jail_root_enter(const char *stage, const char *libexec, struct err *e)
{
	if (jail_root_begin(stage, "size=64k,nr_inodes=64,mode=755", e) ||
	    jail_root_programs(libexec, e) || jail_root_kernel(e))
		return -1;
	return jail_root_change(e);
}

int jail_root_enter_empty(const char *stage, struct err *e)
{
	if (jail_root_begin(stage, "size=4k,nr_inodes=1,mode=555", e))
		return -1;
	return jail_root_change(e);
}
