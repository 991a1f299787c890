/* The systems that bases are made of: a minimal Debian or Ubuntu, and for the names of Amazon Linux
 * one that answers to dnf.
 *
 * Each has two images. The bare system (localhost/doze/raw/<name>:1) is made by mmdebstrap or comes
 * from `doze base import`. On top of it are the files of the table below. That image is named after
 * what they hold (localhost/doze/<name>:<hash>), so it is made again when one of them changes. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "image/step.h"
#include "wire/sigv4.h"

#define DEBIAN_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const struct debian_suite {
	const char *name, *suite;
	bool ubuntu;
} debian_suites[] = {
	{ "debian-12", "bookworm", false },   { "debian-13", "trixie", false },
	{ "ubuntu-22.04", "jammy", true },    { "ubuntu-24.04", "noble", true },
	{ "ubuntu-26.04", "resolute", true },
};

/* The files that are laid into each base, in this order. `from` is a file of libexec.
 * - dpkg need not sync each file, because a build that dies starts again from its layers.  It does
 *   not ask about files that the base has changed.
 * - Without a pseudo-terminal dpkg does not print "(Reading database ... 5%".
 * - Amazon Linux has a group `nobody`, and its pip installs beside the system's packages. */
static const struct debian_file {
	const char *path;
	mode_t mode;
	bool amazon, append;
	const char *text, *from;
} debian_files[] = {
	{ "etc/dpkg/dpkg.cfg.d/doze", 0644, false, false,
	  "force-unsafe-io\nforce-confdef\nforce-confold\n", NULL },
	{ "etc/apt/apt.conf.d/50doze", 0644, false, false,
	  "APT::Install-Recommends \"false\";\nAcquire::Languages \"none\";\n"
	  "Acquire::Retries \"3\";\nDir::Cache::srcpkgcache \"\";\nDir::Cache::pkgcache \"\";\n"
	  "Dpkg::Use-Pty \"0\";\n",
	  NULL },
	{ "etc/hostname", 0644, false, false, "localhost\n", NULL },
	{ "etc/hosts", 0644, false, false, "127.0.0.1 localhost\n::1 localhost\n", NULL },
	{ "etc/resolv.conf", 0644, false, false, "", NULL },
	{ "etc/pip.conf", 0644, true, false,
	  "[global]\nbreak-system-packages = true\nroot-user-action = ignore\n"
	  "disable-pip-version-check = true\n",
	  NULL },
	{ "etc/group", 0644, true, true, "nobody:x:65534:\n", NULL },
	{ "usr/bin/dnf", 0755, true, false, NULL, "front/dnf" },
	{ "usr/bin/rpm", 0755, true, false, NULL, "front/rpm" },
	{ "usr/share/doze/dnf-packages", 0644, true, false, NULL, "front/dnf-packages" },
	{ "usr/share/doze/node-unpack", 0755, true, false, NULL, "stand-in/node-unpack" },
};

/* Packages link their pages there, and Java's cannot be installed without the folder. */
static const char *const debian_folders[] = { "usr/share/man", "usr/share/man/man1" };

/* All of a file's text, from the table or from libexec. */
static int debian_text(const struct step *s, const struct debian_file *f, struct buf *text,
		       struct err *e)
{
	autofree char *path = NULL;
	autoclose int fd = -1;

	if (!f->from) {
		buf_adds(text, f->text);
		return 0;
	}
	path = xasprintf("%s/%s", s->libexec, f->from);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || io_read_all(fd, text, MIB))
		return err_sys(e, "read '%s'", path);
	return 0;
}

/* The name of the image says what the files hold. */
static int debian_name(const struct step *s, const struct debian_suite *suite, bool amazon,
		       char *to, size_t room, struct err *e)
{
	autobuf struct buf all = { 0 };
	char hex[65];

	for (size_t i = 0; i < ARRAY_SIZE(debian_folders); i++)
		buf_addf(&all, "%s\n", debian_folders[i]);
	for (size_t i = 0; i < ARRAY_SIZE(debian_files); i++) {
		const struct debian_file *f = &debian_files[i];

		if (f->amazon && !amazon)
			continue;
		buf_addf(&all, "%s %o %d\n", f->path, (unsigned)f->mode, f->append);
		if (debian_text(s, f, &all, e))
			return -1;
	}
	if (step_clones_text(s, &all, e))
		return -1;
	sha256_hex(all.data, all.size, hex);
	snprintf(to, room, "localhost/doze/%s%s:%.12s", amazon ? "amazon-" : "", suite->name, hex);
	return 0;
}

static int debian_write(const char *root, const struct debian_file *f, const struct buf *text,
			struct err *e)
{
	autofree char *full = xasprintf("%s/%s", root, f->path);
	autofree char *folder = xstrdup(full);
	autoclose int fd = -1;

	*strrchr(folder, '/') = '\0';
	if (mkdir(folder, 0755) && errno != EEXIST)
		return err_sys(e, "make '%s'", folder);
	if (!f->append && unlink(full) && errno != ENOENT)
		return err_sys(e, "replace '%s'", full);
	fd = open(full,
		  O_WRONLY | O_CLOEXEC | O_NOFOLLOW | (f->append ? O_APPEND : O_CREAT | O_EXCL),
		  f->mode);
	if (fd < 0 || io_write_full(fd, text->data, text->size))
		return err_sys(e, "write '%s'", full);
	return 0;
}

/* Debian's sources are mmdebstrap's own choice. */
static void debian_sources(struct step *s, const struct debian_suite *suite, struct step_argv *a,
			   char *lines[3])
{
	static const char *const parts[3] = { "", "-updates", "-security" };
	const char *archive = strcmp(s->arch, "arm64") ? "http://archive.ubuntu.com/ubuntu"
						       : "http://ports.ubuntu.com/ubuntu-ports";

	if (!suite->ubuntu && s->mirror && *s->mirror)
		step_arg(a, s->mirror);
	for (size_t i = 0; suite->ubuntu && i < ARRAY_SIZE(parts); i++) {
		lines[i] = xasprintf("deb %s %s%s main universe", archive, suite->suite, parts[i]);
		step_arg(a, lines[i]);
	}
}

static int debian_strap(struct step *s, const struct debian_suite *suite, const char *root,
			struct err *e)
{
	static const char *const fixed[] = {
		"mmdebstrap",
		"--mode=root",
		"--format=directory",
		"--variant=minbase",
		"--include=apt,ca-certificates",
		"--dpkgopt=path-exclude=/usr/share/doc/*",
		"--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/info/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
		"--dpkgopt=force-unsafe-io",
	};
	autofree char *keys = xasprintf("--keyring=%s/stand-in/keys", s->libexec);
	char *lines[3] = { NULL };
	struct step_argv a = { 0 };
	int rc;

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		step_arg(&a, fixed[i]);
	if (suite->ubuntu)
		step_arg(&a, keys);
	step_arg(&a, suite->suite);
	step_arg(&a, root);
	debian_sources(s, suite, &a, lines);
	rc = step_must(&a, NULL, e);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		free(lines[i]);
	return rc ? err_wrap(e, "make the base %s from its packages", suite->name) : 0;
}

static int debian_raw(struct step *s, const struct debian_suite *suite, const char *image,
		      struct err *e)
{
	autobuf struct buf container = { 0 }, root = { 0 };

	printf("doze: the base %s is not there yet; making it (once, about a minute)\n",
	       suite->name);
	if (step_mount(s, "scratch", &container, &root, e))
		return -1;
	if (debian_strap(s, suite, buf_str(&root), e) || step_commit(s, &container, image, e)) {
		step_drop(s, &container);
		return -1;
	}
	return 0;
}

static int debian_dress(struct step *s, const char *root, bool amazon, struct err *e)
{
	static const char *const names[] = { "microdnf", "yum" };

	for (size_t i = 0; i < ARRAY_SIZE(debian_folders); i++) {
		autofree char *folder = xasprintf("%s/%s", root, debian_folders[i]);

		if (mkdir(folder, 0755) && errno != EEXIST)
			return err_sys(e, "make '%s'", folder);
	}
	for (size_t i = 0; i < ARRAY_SIZE(debian_files); i++) {
		const struct debian_file *f = &debian_files[i];
		autobuf struct buf text = { 0 };

		if (f->amazon && !amazon)
			continue;
		if (debian_text(s, f, &text, e) || debian_write(root, f, &text, e))
			return -1;
	}
	for (size_t i = 0; amazon && i < ARRAY_SIZE(names); i++) {
		autofree char *link = xasprintf("%s/usr/bin/%s", root, names[i]);

		if (symlink("dnf", link) && errno != EEXIST)
			return err_sys(e, "make '%s'", link);
	}
	return step_clones(s, root, e);
}

static int debian_finish(struct step *s, const char *raw, const char *image, bool amazon,
			 struct err *e)
{
	autobuf struct buf container = { 0 }, root = { 0 }, out = { 0 };
	struct step_argv a;

	if (step_mount(s, raw, &container, &root, e))
		return -1;
	step_buildah(s, &a, "config");
	step_arg(&a, "--env");
	step_arg(&a, DEBIAN_PATH);
	step_arg(&a, "--cmd");
	step_arg(&a, amazon ? "[\"/bin/bash\"]" : "[\"bash\"]");
	step_arg(&a, buf_str(&container));
	if (debian_dress(s, buf_str(&root), amazon, e) || step_must(&a, &out, e) ||
	    step_commit(s, &container, image, e)) {
		step_drop(s, &container);
		return -1;
	}
	return 0;
}

static const struct debian_suite *debian_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(debian_suites); i++)
		if (!strcmp(debian_suites[i].name, name))
			return &debian_suites[i];
	return NULL;
}

char *step_debian_raw(const char *name)
{
	return debian_find(name) ? xasprintf("localhost/doze/raw/%s:1", name) : NULL;
}

static int debian_make(struct step *s, const struct debian_suite *suite, const char *image,
		       bool amazon, struct err *e)
{
	autofree char *raw = step_debian_raw(suite->name);
	autoclose int lock = step_lock(s, suite->name, e);

	if (lock < 0)
		return -1;
	step_images_forget(s); /* whoever held the lock may have made it */
	if (step_images(s, e))
		return -1;
	if (step_image_exists(s, image))
		return 0;
	if (!step_image_exists(s, raw) && debian_raw(s, suite, raw, e))
		return -1;
	return debian_finish(s, raw, image, amazon, e);
}

char *step_debian(struct step *s, const char *name, bool amazon, struct err *e)
{
	const struct debian_suite *suite = debian_find(name);
	char image[128];

	assert(suite);
	if (debian_name(s, suite, amazon, image, sizeof(image), e) || step_images(s, e))
		return NULL;
	if (!step_image_exists(s, image) && debian_make(s, suite, image, amazon, e))
		return NULL;
	return xstrdup(image);
}
