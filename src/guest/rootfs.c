#include "guest/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "guest/boot.h"
#include "guest/generation.h"
#include "guest/lease.h"

/* linux/mount.h and glibc's sys/mount.h cannot be included together. */
#define TREE_CLONE      1 /* OPEN_TREE_CLONE */
#define MOVE_EMPTY_PATH 4 /* MOVE_MOUNT_F_EMPTY_PATH */
#define SAFE            (MS_NOSUID | MS_NODEV | MS_NOEXEC)

struct rootfs_mount {
	const char *type, *at, *data;
	unsigned long flags;
	bool optional; /* the kernel may lack it */
};

struct rootfs_node {
	const char *path;
	unsigned major, minor;
};

// clang-format off
static const struct rootfs_mount rootfs_mounts[] = {
	{ "proc",   "/proc",       NULL,                                    SAFE, false },
	{ "tmpfs",  "/dev",        "mode=0755,size=65536k",                 MS_NOSUID | MS_STRICTATIME, false },
	{ "devpts", "/dev/pts",    "newinstance,ptmxmode=0666,mode=0620,gid=5", MS_NOSUID | MS_NOEXEC, false },
	{ "tmpfs",  "/dev/shm",    "mode=1777,size=65536k",                 SAFE, false },
	{ "mqueue", "/dev/mqueue", NULL,                                    SAFE, true },
	{ "sysfs",  "/sys",        NULL,                                    SAFE | MS_RDONLY, false },
};

static const struct rootfs_node rootfs_nodes[] = {
	{ "/dev/null", 1, 3 },   { "/dev/zero", 1, 5 },    { "/dev/full", 1, 7 },
	{ "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
};

static const char *const rootfs_links[][2] = {
	{ "/proc/self/fd", "/dev/fd" },       { "/proc/self/fd/0", "/dev/stdin" },
	{ "/proc/self/fd/1", "/dev/stdout" }, { "/proc/self/fd/2", "/dev/stderr" },
	{ "/proc/kcore", "/dev/core" },       { "pts/ptmx", "/dev/ptmx" },
};
// clang-format on

/* These lists are Docker's.  Entries that the kernel lacks are skipped. */
static const char *const rootfs_masked[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/sys/firmware",
	"/sys/devices/virtual/powercap",
};

static const char *const rootfs_readonly[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

/* With all capabilities nothing is read-only. */
static int rootfs_mount_all(const struct app_spec *s, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(rootfs_mounts); i++) {
		const struct rootfs_mount *m = &rootfs_mounts[i];
		unsigned long flags = m->flags & ~(s->all_caps ? (unsigned long)MS_RDONLY : 0);

		if (mkdir(m->at, 0755) && errno != EEXIST)
			return err_sys(e, "make '%s'", m->at);
		if (mount(m->type, m->at, m->type, flags, m->data) && !m->optional)
			return err_sys(e, "mount '%s'", m->at);
	}
	return 0;
}

static int rootfs_make_node(const char *path, unsigned major, unsigned minor, struct err *e)
{
	if (mknod(path, S_IFCHR | 0666, makedev(major, minor)) || chmod(path, 0666))
		return err_sys(e, "make '%s'", path);
	return 0;
}

/* /dev/fuse gets the number that the agent's /dev shows.  Without the module there is none. */
static int rootfs_fill_dev(dev_t fuse, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(rootfs_nodes); i++)
		if (rootfs_make_node(rootfs_nodes[i].path, rootfs_nodes[i].major,
				     rootfs_nodes[i].minor, e))
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(rootfs_links); i++)
		if (symlink(rootfs_links[i][0], rootfs_links[i][1]))
			return err_sys(e, "make '%s'", rootfs_links[i][1]);
	return fuse ? rootfs_make_node("/dev/fuse", major(fuse), minor(fuse), e) : 0;
}

static int rootfs_protect(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st))
		return 0;
	if (S_ISDIR(st.st_mode) ? mount("tmpfs", path, "tmpfs", MS_RDONLY, NULL)
				: mount("/dev/null", path, NULL, MS_BIND, NULL))
		return err_sys(e, "hide '%s'", path);
	return 0;
}

static int rootfs_make_readonly(const char *path, unsigned long flags, struct err *e)
{
	if (mount(path, path, NULL, MS_BIND | MS_REC, NULL))
		return errno == ENOENT ? 0 : err_sys(e, "bind '%s'", path);
	if (mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL))
		return err_sys(e, "make '%s' read-only", path);
	return 0;
}

static int rootfs_restrict(struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(rootfs_masked); i++)
		if (rootfs_protect(rootfs_masked[i], e))
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(rootfs_readonly); i++)
		if (rootfs_make_readonly(rootfs_readonly[i], SAFE, e))
			return -1;
	return 0;
}

static int rootfs_take_tree(const char *path, struct err *e)
{
	long fd = syscall(SYS_open_tree, AT_FDCWD, path, TREE_CLONE | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "take '%s'", path) : (int)fd;
}

static int rootfs_put_tree(int tree, const char *path, unsigned long flags, struct err *e)
{
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, path, MOVE_EMPTY_PATH))
		return err_sys(e, "mount '%s'", path);
	if (mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | flags, NULL))
		return err_sys(e, "make '%s' read-only", path);
	return 0;
}

static void rootfs_make_parents(const char *path)
{
	autofree char *part = xstrdup(path);

	for (char *at = strchr(part + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		mkdir(part, 0755); /* A failure shows where the directory is used. */
		*at = '/';
	}
}

/* The image may have a file here, nothing, or a dangling link. */
static int rootfs_make_target(const char *path, struct err *e)
{
	int fd;

	rootfs_make_parents(path);
	fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644);
	if (fd < 0 && errno == ENOENT && !unlink(path))
		fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644);
	if (fd < 0)
		return err_sys(e, "make '%s'", path);
	close(fd);
	return 0;
}

/* The file is the application's own from now on.  A link of the image leads to where it is put, and
 * other names of the image's file keep what they had. */
static int rootfs_put_file(const struct app_file *f, struct err *e)
{
	autofree char *real = realpath(f->path, NULL);
	const char *path = real ? real : f->path;
	autoclose int fd = -1;
	int rc;

	rootfs_make_parents(path);
	if (unlink(path) && errno != ENOENT)
		return err_sys(e, "replace '%s'", f->path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(e, "make '%s'", f->path);
	rc = io_write_full(fd, f->data, f->size);
	errno = -rc;
	return rc ? err_sys(e, "write '%s'", f->path) : 0;
}

static int rootfs_put_files(const struct app_spec *s, struct err *e)
{
	for (size_t i = 0; i < s->n_files; i++)
		if (s->files[i].over && access(s->files[i].path, F_OK))
			continue;
		else if (rootfs_put_file(&s->files[i], e))
			return -1;
	/* Old programs read this file; an image that has its own keeps it. */
	if (!access("/etc", F_OK))
		(void)!symlink("/proc/mounts", "/etc/mtab");
	return 0;
}

/* An image may have something of its own in the place.  It starts without the file then. */
static void rootfs_bind_file(int tree, const char *path, unsigned long flags)
{
	struct err e;

	if (rootfs_make_target(path, &e) || rootfs_put_tree(tree, path, flags, &e))
		log_warn("%s", e.text);
}

static void rootfs_bind_files(const int generation[GENERATION_NUM], int lease)
{
	for (size_t i = 0; i < GENERATION_NUM; i++)
		rootfs_bind_file(generation[i], generation_files[i][1], SAFE | MS_RDONLY);
	rootfs_bind_file(lease, LEASE_FILE, SAFE);
}

/* Make the root disk the root of this mount namespace, over the initramfs, and drop the initramfs's
 * own mounts.  Afterwards no path leads to anything of the agent's. */
static int rootfs_change(struct err *e)
{
	static const char *const agents[] = { "/sys", "/proc", "/dev" };

	for (size_t i = 0; i < ARRAY_SIZE(agents); i++)
		if (umount2(agents[i], MNT_DETACH))
			return err_sys(e, "let go of the agent's '%s'", agents[i]);
	if (chdir(BOOT_ROOT) || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		return err_sys(e, "change into the root disk");
	return 0;
}

static dev_t rootfs_fuse(const struct app_spec *s)
{
	struct stat st;

	return s->all_caps && !stat("/dev/fuse", &st) ? st.st_rdev : 0;
}

int rootfs_enter(const struct app_spec *s, struct err *e)
{
	int generation[GENERATION_NUM], lease;
	dev_t fuse = rootfs_fuse(s);
	autoclose int cgroup = -1;

	umask(022);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return err_sys(e, "make mounts private");
	for (size_t i = 0; i < GENERATION_NUM; i++) {
		generation[i] = rootfs_take_tree(generation_files[i][0], e);
		if (generation[i] < 0)
			return -1;
	}
	lease = rootfs_take_tree(LEASE_OWN, e);
	if (lease < 0)
		return -1;
	cgroup = rootfs_take_tree(s->all_caps ? "/sys/fs/cgroup" : CONTAINER_CGROUP, e);
	/* The files come before the mounts, so that no link of the image leads one into them. */
	if (cgroup < 0 || rootfs_change(e) || rootfs_put_files(s, e) || rootfs_mount_all(s, e) ||
	    rootfs_fill_dev(fuse, e) ||
	    rootfs_put_tree(cgroup, "/sys/fs/cgroup", SAFE | (s->all_caps ? 0 : MS_RDONLY), e))
		return -1;
	rootfs_bind_files(generation, lease);
	return s->all_caps ? 0 : rootfs_restrict(e);
}
