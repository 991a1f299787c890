#include "priv/layer_store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"

#define LAYER_STORE_MKFS "/sbin/mke2fs"
#define LAYER_STORE_FILE "layers.img"
#define LAYER_STORE_NEW  "layers.img.new"
#define LAYER_STORE_DIR  "layers"

static int layer_store_open_dir(const struct layer_store *l, struct err *e)
{
	autofree char *data = xstrdup(l->build_dir);
	autoclose int dir = -1;

	*strrchr(data, '/') = '\0';
	if (mkdir(data, 0755) && errno != EEXIST)
		return err_sys(e, "make '%s'", data);
	if (!mkdir(l->build_dir, 0711) &&
	    (chown(l->build_dir, l->owner, l->owner_gid) || chmod(l->build_dir, 0711)))
		return err_sys(e, "give '%s' away", l->build_dir);
	dir = open(l->build_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return dir < 0 ? err_sys(e, "open '%s'", l->build_dir) : fd_steal(&dir);
}

/* The directory belongs to the image role, which has fewer rights than priv. So the file must be
 * checked to be the one that priv made. */
static int layer_store_check(int file, struct err *e)
{
	struct stat st;

	if (fstat(file, &st))
		return err_sys(e, "look at " LAYER_STORE_FILE);
	if (!S_ISREG(st.st_mode) || st.st_uid || st.st_nlink != 1 || (st.st_mode & 077))
		return err_set(e, ERR_INTERNAL,
			       LAYER_STORE_FILE "  has been changed by another program: remove it");
	return 0;
}

static int layer_store_mkfs(const struct layer_store *l, int file, struct err *e)
{
	autofree char *owner =
		xasprintf("lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=%u:%u",
			  l->user, l->user_gid);
	autofree char *path = xasprintf("/proc/self/fd/%d", file);
	char mkfs[] = "mke2fs", q[] = "-q", f[] = "-F", t[] = "-t", ext4[] = "ext4", opt[] = "-E";
	char env_path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *argv[] = { mkfs, q, f, t, ext4, opt, owner, path, NULL };
	char *env[] = { env_path, NULL };
	pid_t pid;
	int status;

	if (ftruncate(file, (off_t)l->size_bytes))
		return err_sys(e, "size " LAYER_STORE_NEW);
	pid = fork();
	if (!pid) {
		fcntl(file, F_SETFD, 0);
		execve(LAYER_STORE_MKFS, argv, env);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		return err_set(e, ERR_INTERNAL, LAYER_STORE_MKFS " failed on " LAYER_STORE_FILE);
	return 0;
}

/* ext4 records in its superblock that it has found damage. */
static bool layer_store_damaged(int file)
{
	uint16_t state = 0;

	return pread(file, &state, sizeof(state), 1024 + 58) == sizeof(state) && (state & 2);
}

static int layer_store_file(const struct layer_store *l, int dir, struct err *e)
{
	autoclose int file = io_open_below(dir, LAYER_STORE_FILE, O_RDWR, 0);

	if (file >= 0 && layer_store_damaged(file)) {
		log_warn("the layer store of builds is damaged and is started afresh; import bases "
			 "again");
		fd_close(&file);
		if (unlinkat(dir, LAYER_STORE_FILE, 0))
			return err_sys(e, "remove " LAYER_STORE_FILE);
		file = -ENOENT;
	}
	if (file == -ENOENT) {
		if (unlinkat(dir, LAYER_STORE_NEW, 0) && errno != ENOENT)
			return err_sys(e, "remove " LAYER_STORE_NEW);
		file = io_open_below(dir, LAYER_STORE_NEW, O_RDWR | O_CREAT | O_EXCL, 0600);
		errno = -file;
		if (file < 0)
			return err_sys(e, "make " LAYER_STORE_NEW);
		if (layer_store_mkfs(l, file, e))
			return -1;
		if (renameat(dir, LAYER_STORE_NEW, dir, LAYER_STORE_FILE))
			return err_sys(e, "rename " LAYER_STORE_NEW);
	}
	errno = -file;
	if (file < 0)
		return err_sys(e, "open " LAYER_STORE_FILE);
	return layer_store_check(file, e) ? -1 : fd_steal(&file);
}

#define LAYER_STORE_LOOPS 256 /* devices that are searched */

/* A detached mount lives on in mount namespaces that were made while it was there. Its loop device
 * must then be used again, because two devices over one file would be two file systems that destroy
 * each other.
 */
static int layer_store_loop_again(int file, char device[32])
{
	struct stat want;

	if (fstat(file, &want))
		return -1;
	for (int number = 0; number < LAYER_STORE_LOOPS; number++) {
		struct loop_info64 info;
		autoclose int fd = -1;

		snprintf(device, 32, "/dev/loop%d", number);
		fd = open(device, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && !ioctl(fd, LOOP_GET_STATUS64, &info) &&
		    info.lo_inode == want.st_ino && info.lo_device == want.st_dev)
			return fd_steal(&fd);
	}
	return -1;
}

/* Another program may take the free device between the two calls; then the next free one is tried.
 */
static int layer_store_loop(int file, char device[32], struct err *e)
{
	autoclose int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	const struct loop_config config = { .fd = (uint32_t)file,
					    .info.lo_flags = LO_FLAGS_AUTOCLEAR };

	if (control < 0)
		return err_sys(e, "open /dev/loop-control");
	for (int tries = 0; tries < 16; tries++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		autoclose int fd = -1;

		snprintf(device, 32, "/dev/loop%d", number);
		fd = number < 0 ? -1 : open(device, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return err_sys(e, "open a loop device");
		if (!ioctl(fd, LOOP_CONFIGURE, &config))
			return fd_steal(&fd);
		if (errno != EBUSY)
			break;
	}
	return err_sys(e, "use " LAYER_STORE_FILE " as a disk");
}

static bool layer_store_is_mounted(int dir, int at)
{
	struct stat above, here;

	return !fstat(dir, &above) && !fstat(at, &here) && above.st_dev != here.st_dev;
}

/* After a lost write ext4 refuses further writes, and newer kernels do not show that in statfs.
 * Only an attempt to write tells. */
static bool layer_store_is_writable(int at)
{
	autoclose int fd = openat(at, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	return fd >= 0 || errno != EROFS;
}

static int layer_store_open(const struct layer_store *l, int dir, struct err *e)
{
	int rc = io_mkdir(dir, LAYER_STORE_DIR, 0755);
	int at = rc ? rc : io_open_below(dir, LAYER_STORE_DIR, O_RDONLY | O_DIRECTORY, 0);

	errno = -at;
	return at < 0 ? err_sys(e, "open '%s/" LAYER_STORE_DIR "'", l->build_dir) : at;
}

/* Nobody knows what a full disk below it has lost, so nothing in it may be used any more. Builds
 * that run keep the old file until they end. */
static int layer_store_give_up(const struct layer_store *l, int dir, struct err *e)
{
	autofree char *path = xasprintf("%s/" LAYER_STORE_DIR, l->build_dir);

	log_warn("the layer store of builds lost writes, as on a full disk, and is started afresh; "
		 "import "
		 "bases again");
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) || unlinkat(dir, LAYER_STORE_FILE, 0))
		return err_sys(e, "put '%s' away", path);
	return 0;
}

static int layer_store_mount_all(const struct layer_store *l, struct err *e)
{
	autoclose int dir = layer_store_open_dir(l, e), at = -1, file = -1, loop = -1;
	char device[32], target[32];

	at = dir < 0 ? -1 : layer_store_open(l, dir, e);
	if (at >= 0 && layer_store_is_mounted(dir, at)) {
		if (layer_store_is_writable(at))
			return 0;
		fd_close(&at);
		at = layer_store_give_up(l, dir, e) ? -1 : layer_store_open(l, dir, e);
	}
	if (at < 0)
		return -1;
	file = layer_store_file(l, dir, e);
	loop = file < 0 ? -1 : layer_store_loop_again(file, device);
	if (file >= 0 && loop < 0)
		loop = layer_store_loop(file, device, e);
	if (loop < 0)
		return -1;
	snprintf(target, sizeof(target), "/proc/self/fd/%d", at);
	if (mount(device, target, "ext4", MS_NODEV | MS_NOSUID | MS_NOATIME,
		  "discard,errors=remount-ro,data_err=abort"))
		return err_sys(e, "mount '%s/" LAYER_STORE_FILE "'", l->build_dir);
	fd_close(&at);
	at = io_open_below(dir, LAYER_STORE_DIR, O_RDONLY | O_DIRECTORY, 0);
	if (at < 0 || fchmod(at, 0700))
		return err_set(e, ERR_INTERNAL,
			       "the root of " LAYER_STORE_FILE " cannot be closed");
	return 0;
}

static int layer_store_mount(void *layers)
{
	struct err e;

	if (!layer_store_mount_all(layers, &e))
		return 0;
	log_err("the layer store of builds is not available: %s", e.text);
	return 1;
}

static void layer_store_tell(struct layer_store *l, const struct err *e)
{
	struct layer_store_wait *w;

	while ((w = list_first(&l->waiting, struct layer_store_wait, in))) {
		list_del(&w->in);
		w->ready(w, e);
	}
}

static void layer_store_ended(struct child *c, int status)
{
	struct layer_store *l = container_of(c, struct layer_store, mounting);
	struct err e;

	l->mounted = !status;
	err_set(&e, ERR_INTERNAL,
		"the disk of all builds cannot be mounted; the daemon's log says why");
	layer_store_tell(l, status ? &e : NULL);
}

void layer_store_want(struct layer_store *l, struct layer_store_wait *w)
{
	autofree char *path = xasprintf("%s/" LAYER_STORE_DIR, l->build_dir);
	autoclose int at = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct err e;

	list_add(&l->waiting, &w->in);
	if (l->mounted && at >= 0 && layer_store_is_writable(at))
		layer_store_tell(l, NULL);
	else if (!l->mounting.pid &&
		 child_start(l->loop, &l->mounting, layer_store_mount, l, layer_store_ended, &e))
		layer_store_tell(l, &e);
}

void layer_store_forget(struct layer_store_wait *w)
{
	list_del(&w->in);
}

void layer_store_unmount(struct layer_store *l)
{
	autofree char *path = xasprintf("%s/" LAYER_STORE_DIR, l->build_dir);

	if (l->mounted && umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW))
		log_warn("a mount stays behind path=%s: %s", path, strerror(errno));
	l->mounted = false;
}
