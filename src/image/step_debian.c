/* The default bases: a minimal Debian that answers to dnf.
 *
 * Each has two images. The bare system (localhost/doze/raw/<suite>:1) is made by mmdebstrap or
 * comes from `doze base import`. On top of it are the front and the settings
 * (localhost/doze/<suite>:<n>), which are made again when n grows. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "image/step.h"

#define DEBIAN_FRONT 3 /* increase it with every change of the front or of the files below */

static const struct debian_suite {
	const char *name, *suite;
} debian_suites[] = { { "debian-12", "bookworm" }, { "debian-13", "trixie" } };

/* dpkg need not sync each file, because a build that dies starts again from its layers.  It does
 * not ask about files that the base has changed. */
static const struct debian_file {
	const char *path, *text;
} debian_files[] = {
	{ "etc/pip.conf", "[global]\nbreak-system-packages = true\nroot-user-action = ignore\n"
			  "disable-pip-version-check = true\n" },
	{ "etc/dpkg/dpkg.cfg.d/doze", "force-unsafe-io\nforce-confdef\nforce-confold\n" },
	{ "etc/apt/apt.conf.d/50doze",
	  "APT::Install-Recommends \"false\";\nAcquire::Languages \"none\";\n"
	  "Acquire::Retries \"3\";\nDir::Cache::srcpkgcache \"\";\nDir::Cache::pkgcache \"\";\n" },
	{ "etc/hostname", "localhost\n" },
	{ "etc/hosts", "127.0.0.1 localhost\n::1 localhost\n" },
	{ "etc/resolv.conf", "" },
};

static int debian_write(const char *root, const char *path, const char *text, mode_t mode,
			struct err *e)
{
	autofree char *full = xasprintf("%s/%s", root, path);
	autoclose int fd = -1;

	if (unlink(full) && errno != ENOENT)
		return err_sys(e, "replace '%s'", full);
	fd = open(full, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0 || io_write_full(fd, text, strlen(text)))
		return err_sys(e, "write '%s'", full);
	return 0;
}

static int debian_strap(struct step *s, const struct debian_suite *suite, const char *root,
			struct err *e)
{
	struct step_argv a = { 0 };

	step_arg(&a, "mmdebstrap");
	step_arg(&a, "--mode=root");
	step_arg(&a, "--format=directory");
	step_arg(&a, "--variant=minbase");
	step_arg(&a, "--include=ca-certificates");
	step_arg(&a, "--dpkgopt=path-exclude=/usr/share/doc/*");
	step_arg(&a, "--dpkgopt=path-exclude=/usr/share/man/*");
	step_arg(&a, "--dpkgopt=path-exclude=/usr/share/info/*");
	step_arg(&a, "--dpkgopt=path-exclude=/usr/share/locale/*");
	step_arg(&a, "--dpkgopt=force-unsafe-io");
	step_arg(&a, suite->suite);
	step_arg(&a, root);
	if (s->mirror && *s->mirror)
		step_arg(&a, s->mirror);
	if (step_must(&a, NULL, e))
		return err_wrap(e, "make the base %s from Debian's packages", suite->name);
	return 0;
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

static int debian_dress(struct step *s, const char *root, struct err *e)
{
	static const char *const names[] = { "microdnf", "yum" };
	autofree char *source = xasprintf("%s/front/dnf", s->libexec);
	autobuf struct buf front = { 0 };
	autoclose int fd = open(source, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || io_read_all(fd, &front, MIB))
		return err_sys(e, "read '%s'", source);
	if (debian_write(root, "usr/bin/dnf", buf_str(&front), 0755, e))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		autofree char *link = xasprintf("%s/usr/bin/%s", root, names[i]);

		if (symlink("dnf", link) && errno != EEXIST)
			return err_sys(e, "make '%s'", link);
	}
	for (size_t i = 0; i < ARRAY_SIZE(debian_files); i++)
		if (debian_write(root, debian_files[i].path, debian_files[i].text, 0644, e))
			return -1;
	return step_clones(s, root, e);
}

static int debian_finish(struct step *s, const char *raw, const char *image, struct err *e)
{
	autobuf struct buf container = { 0 }, root = { 0 }, out = { 0 };
	struct step_argv a;

	if (step_mount(s, raw, &container, &root, e))
		return -1;
	step_buildah(s, &a, "config");
	step_arg(&a, "--env");
	step_arg(&a, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	step_arg(&a, "--cmd");
	step_arg(&a, "[\"/bin/bash\"]");
	step_arg(&a, buf_str(&container));
	if (debian_dress(s, buf_str(&root), e) || step_must(&a, &out, e) ||
	    step_commit(s, &container, image, e)) {
		step_drop(s, &container);
		return -1;
	}
	return 0;
}

const char *step_debian(struct step *s, const char *name, struct err *e)
{
	const struct debian_suite *suite = NULL;
	autofree char *raw = xasprintf("localhost/doze/raw/%s:1", name);
	static char image[128];
	autoclose int lock = -1;

	for (size_t i = 0; i < ARRAY_SIZE(debian_suites); i++)
		if (!strcmp(debian_suites[i].name, name))
			suite = &debian_suites[i];
	assert(suite);
	snprintf(image, sizeof(image), "localhost/doze/%s:%d", name, DEBIAN_FRONT);
	if (step_images(s, e))
		return NULL;
	if (step_image_exists(s, image))
		return image;
	lock = step_lock(s, name, e);
	if (lock < 0)
		return NULL;
	step_images_forget(s); /* whoever held the lock may have made it */
	if (step_images(s, e))
		return NULL;
	if (step_image_exists(s, image))
		return image;
	if (!step_image_exists(s, raw) && debian_raw(s, suite, raw, e))
		return NULL;
	return debian_finish(s, raw, image, e) ? NULL : image;
}
