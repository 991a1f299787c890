#include "guest/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"

#define BOOT_DEVICE_MS 10000
#define BOOT_DISK      "/dev/vda"

static const struct {
	const char *type, *at, *data;
	unsigned long flags;
} boot_mount_table[] = {
	{ "proc", "/proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "sysfs", "/sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "devtmpfs", "/dev", "mode=0755", MS_NOSUID | MS_NOEXEC },
	{ "cgroup2", "/sys/fs/cgroup", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
};

int boot_mounts(struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(boot_mount_table); i++)
		if (mount(boot_mount_table[i].type, boot_mount_table[i].at,
			  boot_mount_table[i].type, boot_mount_table[i].flags,
			  boot_mount_table[i].data))
			return err_sys(e, "mount '%s'", boot_mount_table[i].at);
	return 0;
}

static int boot_module(const char *path, struct err *e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open module '%s'", path);
	if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
		return err_sys(e, "load module '%s'", path);
	return 0;
}

int boot_modules(const char *group, struct err *e)
{
	char path[64], list[4096];
	FILE *file;
	int rc = 0;

	snprintf(path, sizeof(path), "/modules/%s", group);
	file = fopen(path, "re");
	if (!file)
		return err_sys(e, "open '%s'", path);
	while (!rc && fgets(list, sizeof(list), file)) {
		list[strcspn(list, "\n")] = '\0';
		rc = boot_module(list, e);
		unlink(list); /* The modules are loaded; free its pages. */
	}
	fclose(file);
	return rc;
}

int boot_await(int (*attempt)(struct err *e), struct err *e)
{
	struct sockaddr_nl all = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	autoclose int events = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
				      NETLINK_KOBJECT_UEVENT);
	int64_t until = clock_mono_ms() + BOOT_DEVICE_MS;

	if (events < 0 || bind(events, (struct sockaddr *)(void *)&all, sizeof(all)))
		return err_sys(e, "listen to the kernel's events");
	for (;;) {
		struct pollfd event = { .fd = events, .events = POLLIN };
		int rc = attempt(e);
		int64_t left = until - clock_mono_ms();

		if (rc >= 0 || left <= 0)
			return rc;
		if (poll(&event, 1, (int)left) > 0) {
			char text[4096];

			while (recv(events, text, sizeof(text), 0) > 0)
				;
		}
	}
}

/* What was read of the disk before it was whole is forgotten. */
static int boot_forget_disk(struct err *e)
{
	autoclose int fd = open(BOOT_DISK, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, BLKFLSBUF))
		return err_sys(e, "read '%s' anew", BOOT_DISK);
	return 0;
}

static int boot_root_attempt(struct err *e)
{
	if (boot_forget_disk(e))
		return -1;
	/* The lazy initialisation of inode tables would write to every clone's disk, and so would
	 * access times. */
	if (mount(BOOT_DISK, BOOT_ROOT, "ext4", MS_NOATIME, "noinit_itable"))
		return err_sys(e, "mount '%s'", BOOT_DISK);
	return 0;
}

int boot_root(struct err *e)
{
	return boot_await(boot_root_attempt, e);
}
