/* priv_look.c - stands in for doze-vmm in a jail that priv made: says on every connection to
 * stream.sock what it can see and do, one `key value` line for each. */

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ipc/machine.h"

static void look_ids(FILE *to)
{
	uid_t uid[3];
	gid_t gid[3];

	getresuid(&uid[0], &uid[1], &uid[2]);
	getresgid(&gid[0], &gid[1], &gid[2]);
	fprintf(to, "ids %u %u %u %u %u %u groups %d\n", uid[0], uid[1], uid[2], gid[0], gid[1],
		gid[2], getgroups(0, NULL));
	fprintf(to, "pid %d\n", (int)getpid());
}

static void look_capabilities(FILE *to)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = { 0 };
	int bounding = 0, ambient = 0;

	syscall(SYS_capget, &head, caps);
	for (unsigned long cap = 0; cap < 64; cap++) {
		bounding += prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1;
		ambient += prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1;
	}
	fprintf(to, "caps %x %x %x bounding %d ambient %d\n", caps[0].permitted | caps[1].permitted,
		caps[0].effective | caps[1].effective, caps[0].inheritable | caps[1].inheritable,
		bounding, ambient);
	fprintf(to, "nnp %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

static void look_root(FILE *to)
{
	DIR *dir = opendir("/");
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			fprintf(to, "root %s\n", entry->d_name);
	if (dir)
		closedir(dir);
	fprintf(to, "write %s\n", open("/x", O_WRONLY | O_CREAT, 0600) < 0 ? "no" : "yes");
	fprintf(to, "mkdir %s\n", mkdir("/y", 0700) ? "no" : "yes");
}

static void look_descriptors(FILE *to, int skip)
{
	struct ifreq ifr = { 0 };
	struct stat st = { 0 };
	int header = 0;

	fputs("fds", to);
	for (int fd = 0; fd < 1024; fd++)
		if (fd != skip && fcntl(fd, F_GETFD) >= 0)
			fprintf(to, " %d", fd);
	fputs("\n", to);
	fstat(MACHINE_FD_KVM, &st);
	fprintf(to, "kvm %u:%u\n", major(st.st_rdev), minor(st.st_rdev));
	ioctl(MACHINE_FD_TAP, TUNGETIFF, &ifr);
	ioctl(MACHINE_FD_TAP, TUNGETVNETHDRSZ, &header);
	fprintf(to, "tap %s header %d\n", ifr.ifr_name, header);
}

static void look_file(FILE *to, const char *name)
{
	char path[64], text[256];
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "self/%s", name);
	fd = openat(MACHINE_FD_PROC, path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	fprintf(to, "%s %.*s\n", name, n > 0 ? (int)strcspn(text, "\n") : 1, n > 0 ? text : "-");
	close(fd);
}

static void look_proc(FILE *to)
{
	int here = 1, up, pagemap = openat(MACHINE_FD_PROC, "self/pagemap", O_RDONLY);
	off_t at = (off_t)((uintptr_t)&here / (uintptr_t)getpagesize() * sizeof(uint64_t));
	int fd = openat(MACHINE_FD_PROC, ".", O_RDONLY | O_DIRECTORY);
	DIR *dir = fdopendir(fd);
	const struct dirent *entry;
	uint64_t page = 0;

	if (pread(pagemap, &page, sizeof(page), at) != sizeof(page))
		page = 0;
	fprintf(to, "pagemap %s %s\n", pagemap < 0 ? "no" : "opens",
		page >> 63 ? "present" : "nothing");
	close(pagemap);
	while (dir && (entry = readdir(dir)))
		if (atoi(entry->d_name))
			fprintf(to, "procs %s\n", entry->d_name);
	if (dir)
		closedir(dir);
	up = openat(MACHINE_FD_PROC, "../etc", O_PATH);
	fprintf(to, "parent %s\n", up < 0 ? "no" : "yes");
	look_file(to, "uid_map");
	look_file(to, "gid_map");
	look_file(to, "setgroups");
}

static void look(int fd, int argc, char **argv)
{
	FILE *to = fdopen(fd, "w");
	char name[65] = "";

	if (!to)
		return;
	fputs("argv", to);
	for (int i = 0; i < argc; i++)
		fprintf(to, " %s", argv[i]);
	gethostname(name, sizeof(name) - 1);
	fprintf(to, "\nhostname %s\n", name);
	look_ids(to);
	look_capabilities(to);
	look_root(to);
	look_descriptors(to, fd);
	look_proc(to);
	fclose(to);
}

int main(int argc, char **argv)
{
	for (;;) {
		struct pollfd wait = { .fd = MACHINE_FD_STREAM, .events = POLLIN };
		int fd = poll(&wait, 1, -1) == 1 ? accept(wait.fd, NULL, NULL) : -1;

		if (fd >= 0)
			look(fd, argc, argv);
	}
}
