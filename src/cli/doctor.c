/* doctor.c - `doze doctor`: a reader for each check looks at the host, and its judge says what is
 * to be done. */

#include "cli/doctor.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "cli/cli.h"
#include "cli/server_cert.h"
#include "conf/engine.h"

/* Reads the first line of a small file. */
static bool doctor_line(const char *path, struct doctor_fact *f)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, f->text, sizeof(f->text) - 1);

	f->text[n > 0 ? n : 0] = '\0';
	f->text[strcspn(f->text, "\n")] = '\0';
	f->n = strtoll(f->text, NULL, 10);
	f->there = n > 0;
	return f->there;
}

static void read_kvm(const struct client *c, struct doctor_fact *f)
{
	struct engine_probe p;

	engine_probe(&p, c->conf.libexec_dir, (uid_t)c->conf.uid_first);
	f->there = true;
	f->n = p.usable;
	snprintf(f->text, sizeof(f->text), "%s", p.text);
}

/* Version 2 lists its controllers at the root; for version 1, /proc/cgroups says what is enabled.
 */
static void read_cgroups(const struct client *c, struct doctor_fact *f)
{
	struct doctor_fact line = { 0 };
	char name[64], rest[16];
	unsigned enabled;
	FILE *file;

	(void)c;
	if (doctor_line("/sys/fs/cgroup/cgroup.controllers", &line)) {
		*f = (struct doctor_fact){ .there = true, .n = 2 };
		snprintf(f->text, sizeof(f->text), " %.250s", line.text);
		return;
	}
	file = fopen("/proc/cgroups", "re");
	f->n = 1;
	while (file && fscanf(file, "%63s", name) == 1) {
		if (*name == '#' || fscanf(file, "%15s %15s %u", rest, rest, &enabled) != 3) {
			while (!feof(file) && fgetc(file) != '\n')
				;
			continue;
		}
		f->there |= enabled;
		if (enabled && strlen(f->text) + strlen(name) + 2 < sizeof(f->text))
			strcat(strcat(f->text, " "), name);
	}
	if (file)
		fclose(file);
}

static void read_favor(const struct client *c, struct doctor_fact *f)
{
	autoclose int fd = open("/proc/mounts", O_RDONLY | O_CLOEXEC);
	autobuf struct buf mounts = { 0 };

	(void)c;
	f->there = !access("/dev/kvm", F_OK);
	f->n = fd >= 0 && !io_read_all(fd, &mounts, MIB) &&
	       strstr(buf_str(&mounts), "favordynmods") != NULL;
}

static void read_kernel(const struct client *c, struct doctor_fact *f)
{
	struct utsname u;
	int major = 0, minor = 0;

	(void)c;
	if (uname(&u) || sscanf(u.release, "%d.%d", &major, &minor) != 2)
		return;
	f->there = true;
	f->n = major * 1000 + minor;
	snprintf(f->text, sizeof(f->text), "%s", u.release);
}

static void read_files(const struct client *c, struct doctor_fact *f)
{
	struct rlimit limit;

	(void)c;
	f->there = !getrlimit(RLIMIT_NOFILE, &limit);
	f->n = f->there && limit.rlim_max < INT64_MAX ? (int64_t)limit.rlim_max : INT64_MAX;
}

static void read_nftables(const struct client *c, struct doctor_fact *f)
{
	static const char *const places[] = { "/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft" };

	(void)c;
	for (size_t i = 0; i < ARRAY_SIZE(places) && !f->there; i++) {
		f->there = !access(places[i], X_OK);
		snprintf(f->text, sizeof(f->text), "%s", places[i]);
	}
}

/* The file system of the data directory, or, before doze's first start, of its parent. */
static bool doctor_data(const struct client *c, struct statfs *s, char *path, size_t size)
{
	snprintf(path, size, "%s", c->conf.data_dir);
	while (statfs(path, s)) {
		char *slash = strrchr(path, '/');

		if (!slash || slash == path)
			return !statfs("/", s);
		*slash = '\0';
	}
	return true;
}

static void read_disk(const struct client *c, struct doctor_fact *f)
{
	struct statfs s;

	f->there = doctor_data(c, &s, f->text, sizeof(f->text));
	f->n = f->there ? (int64_t)(s.f_bavail * (uint64_t)s.f_bsize / MIB) : 0;
}

static void read_filesystem(const struct client *c, struct doctor_fact *f)
{
	static const struct {
		long magic;
		const char *name;
		bool sparse, shares;
	} known[] = {
		{ EXT4_SUPER_MAGIC, "ext4", true, false },
		{ XFS_SUPER_MAGIC, "xfs", true, true },
		{ BTRFS_SUPER_MAGIC, "btrfs", true, true },
		{ TMPFS_MAGIC, "tmpfs", true, false },
		{ OVERLAYFS_SUPER_MAGIC, "overlayfs", true, false },
		{ MSDOS_SUPER_MAGIC, "vfat", false, false },
	};
	char path[CONF_TEXT];
	struct statfs s;

	if (!doctor_data(c, &s, path, sizeof(path)))
		return;
	f->there = true;
	snprintf(f->text, sizeof(f->text), "of type %lx", (unsigned long)s.f_type);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (s.f_type == known[i].magic) {
			f->there = known[i].sparse;
			f->n = known[i].shares;
			snprintf(f->text, sizeof(f->text), "%s", known[i].name);
		}
}

static int64_t certificate_days(const char *path)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	autobuf struct buf pem = { 0 };
	int64_t until_s;
	struct err none;

	if (fd < 0 || io_read_all(fd, &pem, MIB) ||
	    certificate_until(buf_str(&pem), pem.size, &until_s, &none))
		return DOCTOR_UNREAD;
	return (until_s - clock_wall_ms() / 1000) / 86400;
}

static void read_certificates(const struct client *c, struct doctor_fact *f)
{
	f->n = INT64_MAX;
	for (size_t i = 0; i < c->conf.n_certificates; i++) {
		int64_t days = certificate_days(c->conf.certificates[i].cert);

		if (days >= f->n)
			continue;
		f->there = true;
		f->n = days;
		snprintf(f->text, sizeof(f->text), "%.200s", c->conf.certificates[i].domain);
	}
}

static const struct {
	const char *path; /* the first line of this file is the fact; NULL: see `read` */
	void (*read)(const struct client *c, struct doctor_fact *f);
} doctor_reads[DOCTOR_NUM] = {
	[DOCTOR_KVM] = { NULL, read_kvm },
	[DOCTOR_CGROUPS] = { NULL, read_cgroups },
	[DOCTOR_FAVOR] = { NULL, read_favor },
	[DOCTOR_KERNEL] = { NULL, read_kernel },
	[DOCTOR_SMT] = { "/sys/devices/system/cpu/smt/active", NULL },
	[DOCTOR_KSM] = { "/sys/kernel/mm/ksm/run", NULL },
	[DOCTOR_THP] = { "/sys/kernel/mm/transparent_hugepage/enabled", NULL },
	[DOCTOR_NX_PAGES] = { "/sys/module/kvm/parameters/nx_huge_pages", NULL },
	[DOCTOR_FILES] = { NULL, read_files },
	[DOCTOR_PIDS] = { "/proc/sys/kernel/pid_max", NULL },
	[DOCTOR_MAPS] = { "/proc/sys/vm/max_map_count", NULL },
	[DOCTOR_NFTABLES] = { NULL, read_nftables },
	[DOCTOR_DISK] = { NULL, read_disk },
	[DOCTOR_FILESYSTEM] = { NULL, read_filesystem },
	[DOCTOR_CLOCK] = { "/sys/devices/system/clocksource/clocksource0/current_clocksource",
			   NULL },
	[DOCTOR_CERTIFICATES] = { NULL, read_certificates },
};

static void doctor_check(const struct client *c, enum doctor_check check, struct doctor_says *says)
{
	struct doctor_fact f = { 0 };

	if (doctor_reads[check].path)
		(void)doctor_line(doctor_reads[check].path, &f);
	else
		doctor_reads[check].read(c, &f);
	doctor_judge(check, &f, says);
}

int cmd_doctor(struct client *c, const struct typed *t)
{
	json_t *all = json_array();
	bool bad = false;

	(void)t;
	for (int i = 0; i < DOCTOR_NUM; i++) {
		const char *name = doctor_name((enum doctor_check)i);
		struct doctor_says says;

		doctor_check(c, (enum doctor_check)i, &says);
		bad |= says.level == DOCTOR_BAD;
		json_array_append_new(all,
				      json_pack("{s:s,s:s,s:s}", "check", name, "level",
						doctor_level_name[says.level], "text", says.text));
		if (!c->json)
			printf("%-4s  %-13s  %s\n", doctor_level_name[says.level], name, says.text);
	}
	if (c->json)
		json_print(all);
	json_decref(all);
	return bad;
}
