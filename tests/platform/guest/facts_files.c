#include "facts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static void files_look(const char *name, const char *path)
{
	struct stat st;
	char target[256];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	target[n < 0 ? 0 : n] = '\0';
	if (n >= 0)
		fact(name, "-> %s", target);
	else if (stat(path, &st))
		fact(name, "%s", fact_error(-1));
	else if (S_ISCHR(st.st_mode))
		fact(name, "%o %u:%u device %u:%u", st.st_mode, st.st_uid, st.st_gid,
		     major(st.st_rdev), minor(st.st_rdev));
	else
		fact(name, "%o %u:%u", st.st_mode, st.st_uid, st.st_gid);
}

static void files_dev(void)
{
	struct dirent **all;
	int n = scandir("/dev", &all, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		char path[300];

		snprintf(path, sizeof(path), "/dev/%s", all[i]->d_name);
		if (all[i]->d_name[0] != '.')
			files_look(path, path);
	}
	files_look("/dev/pts/ptmx", "/dev/pts/ptmx");
}

/* One option of a file system's own that all kernels print. */
static const char *files_option(const char *options, const char *key, char *value, size_t room)
{
	const char *at = strstr(options, key);

	snprintf(value, room, "%.*s", at ? (int)strcspn(at, ",\n") : 0, at ? at : "");
	return value;
}

/* mountinfo: id, parent, device, root, mount point, options, tags, "-", type, source, options */
static void files_mounts(void)
{
	char line[4096];
	FILE *file = fopen("/proc/self/mountinfo", "re");

	while (file && fgets(line, sizeof(line), file)) {
		char at[256], options[256], type[64], own[1024], name[300], size[64], mode[64],
			gid[64], ptmx[64];
		const char *rest = strstr(line, " - ");

		if (!rest || sscanf(line, "%*s %*s %*s %*s %255s %255s", at, options) != 2 ||
		    sscanf(rest + 3, "%63s %*s %1023s", type, own) != 2)
			continue;
		if (!strncmp(at, "/sys/fs/cgroup", 14))
			continue; /* Version 1 and 2 look different, and the host decides. */
		snprintf(name, sizeof(name), "mount %s", at);
		if (!strcmp(at, "/") || !strncmp(at, "/etc/", 5))
			fact(name, "%s", options);
		else
			fact(name, "%s %s %s %s %s %s", type, options,
			     files_option(own, "size=", size, sizeof(size)),
			     files_option(own, "mode=", mode, sizeof(mode)),
			     files_option(own, "gid=", gid, sizeof(gid)),
			     files_option(own, "ptmxmode=", ptmx, sizeof(ptmx)));
	}
	if (file)
		fclose(file);
}

/* Which of the two a user gets depends on whether the file system or its mount is read-only. */
static void files_refused(const char *name, long rc)
{
	bool refused = rc < 0 && (errno == EROFS || errno == EACCES);

	fact(name, "%s", refused ? "refused" : fact_error(rc));
}

static void files_entries(const char *name, const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	fact(name, n > 2 ? "entries" : "no entries");
}

/* What Docker hides or protects.  A kernel may have none of it: "absent" compares with anything. */
static void files_protected(void)
{
	static const char *const paths[] = {
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
		"/proc/bus",
		"/proc/fs",
		"/proc/irq",
		"/proc/sysrq-trigger",
		"/proc/sys/kernel/hostname",
		"/proc/sys/net/ipv4/ip_forward",
		"/proc/sys/vm/swappiness",
		"/sys/kernel/mm/transparent_hugepage/enabled",
	};

	for (size_t i = 0; i < COUNT(paths); i++) {
		char name[128], text[64];
		struct stat st;

		snprintf(name, sizeof(name), "read %s", paths[i]);
		if (stat(paths[i], &st))
			fact(name, "absent");
		else if (S_ISDIR(st.st_mode))
			files_entries(name, paths[i]);
		else
			fact(name, *fact_file(paths[i], text, sizeof(text)) ? "bytes" : "nothing");
		snprintf(name, sizeof(name), "write %s", paths[i]);
		if (stat(paths[i], &st))
			fact(name, "absent");
		else if (S_ISDIR(st.st_mode))
			files_refused(name, access(paths[i], W_OK));
		else
			files_refused(name, open(paths[i], O_WRONLY | O_CLOEXEC));
	}
}

/* As an entry point does: append a line, and rewrite the file as `sed -i` does. */
static void files_handed_in(void)
{
	static const char *const paths[] = { "/etc/hosts", "/etc/resolv.conf", "/etc/hostname" };

	for (size_t i = 0; i < COUNT(paths); i++) {
		char name[64], text[2048];
		int fd;

		files_look(paths[i], paths[i]);
		snprintf(name, sizeof(name), "read %s", paths[i]);
		fact(name, "%s", fact_file(paths[i], text, sizeof(text)));
		snprintf(name, sizeof(name), "append to %s", paths[i]);
		fd = open(paths[i], O_WRONLY | O_APPEND | O_CLOEXEC);
		fact_call(name, fd < 0 ? fd : write(fd, "# more\n", 7));
		close(fd);
		snprintf(name, sizeof(name), "appended to %s", paths[i]);
		fact(name,
		     strstr(fact_file(paths[i], text, sizeof(text)), "# more") ? "yes" : "no");
		snprintf(name, sizeof(name), "replace %s", paths[i]);
		fd = open("/etc/draft", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		fact_call(name, fd < 0 ? fd : rename("/etc/draft", paths[i]));
		close(fd);
	}
}

static void files_sizes(void)
{
	static const char *const paths[] = { "/dev", "/dev/shm" };

	for (size_t i = 0; i < COUNT(paths); i++) {
		struct statvfs fs;
		char name[32];

		statvfs(paths[i], &fs);
		snprintf(name, sizeof(name), "size of %s", paths[i]);
		fact(name, "%llu", (unsigned long long)fs.f_blocks * fs.f_frsize);
	}
}

static void files_settings(void)
{
	static const char *const paths[] = {
		"/proc/sys/net/ipv4/ip_unprivileged_port_start",
		"/proc/sys/net/ipv4/ping_group_range",
		"/proc/sys/net/ipv6/conf/lo/disable_ipv6",
		"/proc/sys/net/core/somaxconn",
		"/proc/sys/net/ipv4/tcp_syncookies",
		"/proc/sys/net/ipv4/ip_local_port_range",
		"/proc/sys/kernel/hostname",
		"/proc/sys/kernel/domainname",
		"/proc/sys/kernel/shmmax",
		"/proc/sys/kernel/msgmax",
		"/proc/sys/kernel/sem",
		"/proc/sys/fs/mqueue/msg_max",
	};
	char text[256];

	for (size_t i = 0; i < COUNT(paths); i++)
		fact(paths[i], "%s", fact_file(paths[i], text, sizeof(text)));
}

static void files_of_the_image(void)
{
	struct stat st;
	int fd = open("/tmp/made", O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

	files_look("/tmp", "/tmp");
	files_look("working directory made", ".");
	files_look("a new file", "/tmp/made");
	files_look("/etc/mtab", "/etc/mtab");
	stat("/etc/one-of-three", &st);
	fact("links of a file", "%lu", (unsigned long)st.st_nlink);
	close(fd);
}

void facts_files(void)
{
	files_dev();
	files_mounts();
	files_protected();
	files_settings();
	files_sizes();
	files_of_the_image();
	files_handed_in();
}
