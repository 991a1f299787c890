/* Unpacks the artifact, the zip on standard input, into context/. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

#include "base/io.h"
#include "base/limits.h"
#include "image/step.h"
#include "wire/dockerfile.h"
#include "wire/zip.h"

struct step_zip {
	struct step *s;
	zip_t *zip;
	struct zip_policy *policy;
	struct zip_plan *plans;
	size_t n;
	int dir;
	struct err *e;
};

static int step_zip_bad(struct step_zip *z, const char *what, const char *path)
{
	return step_fail(z->s, ZIP_CODE_INVALID, z->e, "The archive cannot be read: %s%s%s.", what,
			 *path ? " " : "", path);
}

static int step_zip_open(struct step_zip *z)
{
	struct stat st;
	int error = 0;

	if (fstat(0, &st) || !S_ISREG(st.st_mode))
		return err_set(z->e, ERR_INTERNAL, "the archive is no file");
	if ((uint64_t)st.st_size > LIMIT_ZIP_SIZE)
		return step_fail(z->s, ZIP_CODE_INVALID, z->e,
				 "The archive is larger than %llu MiB.", LIMIT_ZIP_SIZE / MIB);
	z->zip = zip_fdopen(dup(0), 0, &error);
	if (!z->zip)
		return step_zip_bad(z, "it is not a zip", "");
	return 0;
}

static int step_zip_judge(struct step_zip *z, uint64_t i)
{
	struct zip_entry entry = { 0 };
	zip_uint32_t attributes = 0;
	zip_uint8_t system = 0;
	zip_stat_t st;

	if (zip_stat_index(z->zip, i, ZIP_FL_ENC_RAW, &st) || !(st.valid & ZIP_STAT_NAME))
		return step_zip_bad(z, "its directory is damaged", "");
	entry.name = st.name;
	entry.size = st.valid & ZIP_STAT_SIZE ? st.size : 0;
	entry.packed = st.valid & ZIP_STAT_COMP_SIZE ? st.comp_size : 0;
	if (!zip_file_get_external_attributes(z->zip, i, 0, &system, &attributes)) {
		if (system == ZIP_OPSYS_UNIX || system == ZIP_OPSYS_OS_X)
			entry.unix_mode = attributes >> 16;
		entry.dos = system == ZIP_OPSYS_DOS || system == ZIP_OPSYS_WINDOWS_NTFS;
	}
	if (zip_policy_add(z->policy, &entry, &z->plans[i], z->e))
		return step_fail(z->s, zip_policy_code(z->policy), z->e, "%s", z->e->text);
	if ((st.valid & ZIP_STAT_ENCRYPTION_METHOD) && st.encryption_method != ZIP_EM_NONE)
		return step_zip_bad(z, "it is encrypted", "");
	return 0;
}

static void step_zip_tell_repeated(const struct step_zip *z)
{
	for (size_t i = 0; i < z->n; i++)
		if (!zip_policy_keeps(z->policy, i) && z->plans[i].kind != ZIP_KIND_DIR)
			printf("doze: warning: the archive holds '%s' more than once; the last one "
			       "is used\n",
			       z->plans[i].path);
}

/* Every entry is checked before anything is written. */
static int step_zip_judge_all(struct step_zip *z)
{
	zip_int64_t n = zip_get_num_entries(z->zip, 0);

	if (n < 0 || n > LIMIT_ZIP_ENTRIES)
		return step_zip_bad(z, "it has too many entries", "");
	z->n = (size_t)n;
	z->plans = xcalloc(z->n ? z->n : 1, sizeof(*z->plans));
	for (size_t i = 0; i < z->n; i++)
		if (step_zip_judge(z, i))
			return -1;
	if (zip_policy_end(z->policy, z->e))
		return step_fail(z->s, zip_policy_code(z->policy), z->e, "%s", z->e->text);
	step_zip_tell_repeated(z);
	return 0;
}

static int step_zip_parents(struct step_zip *z, const char *path)
{
	autofree char *copy = xstrdup(path);

	for (char *cut = strchr(copy, '/'); cut; cut = strchr(cut + 1, '/')) {
		*cut = '\0';
		if (mkdirat(z->dir, copy, 0755) && errno != EEXIST)
			return err_sys(z->e, "make '%s'", copy);
		*cut = '/';
	}
	return 0;
}

static int step_full(struct step_zip *z)
{
	if (errno == ENOSPC || errno == EDQUOT)
		return step_fail(z->s, "DISK_STORAGE_FULL", z->e,
				 "There is no room to unpack the archive.");
	return err_sys(z->e, "unpack the archive");
}

/* With @to -1 the data goes into *link. The size is that of the zip's directory, and an entry with
 * more data is refused. */
static int step_zip_data(struct step_zip *z, uint64_t i, int to, struct buf *link)
{
	zip_file_t *file = zip_fopen_index(z->zip, i, 0);
	uint64_t left;
	char data[65536];
	zip_int64_t n = -1;
	zip_stat_t st = { 0 };
	int rc = 0;

	if (!file || zip_stat_index(z->zip, i, 0, &st))
		rc = step_zip_bad(z, "an entry is damaged:", z->plans[i].path);
	left = rc ? 0 : st.size;
	while (!rc && (n = zip_fread(file, data, sizeof(data))) > 0) {
		if ((uint64_t)n > left)
			rc = step_zip_bad(z, "an entry is larger than it says:", z->plans[i].path);
		else if (to < 0)
			buf_add(link, data, (size_t)n);
		else if (io_write_full(to, data, (size_t)n))
			rc = step_full(z);
		left -= (uint64_t)n;
	}
	if (!rc && (n < 0 || left))
		rc = step_zip_bad(z, "an entry is damaged:", z->plans[i].path);
	if (file)
		zip_fclose(file);
	return rc;
}

static int step_zip_entry(struct step_zip *z, uint64_t i)
{
	const struct zip_plan *plan = &z->plans[i];
	autobuf struct buf target = { 0 };
	autoclose int fd = -1;

	if (!zip_policy_keeps(z->policy, i))
		return 0;
	if (step_zip_parents(z, plan->path))
		return -1;
	switch (plan->kind) {
	case ZIP_KIND_DIR:
		if (*plan->path && mkdirat(z->dir, plan->path, plan->mode) && errno != EEXIST)
			return step_full(z);
		return 0;
	case ZIP_KIND_LINK:
		if (step_zip_data(z, i, -1, &target))
			return -1;
		if (zip_policy_link(plan->path, buf_str(&target), z->e))
			return step_fail(z->s, ZIP_CODE_INVALID, z->e, "%s", z->e->text);
		return symlinkat(buf_str(&target), z->dir, plan->path) ? step_full(z) : 0;
	case ZIP_KIND_FILE:
		break;
	}
	fd = io_open_below(z->dir, plan->path, O_WRONLY | O_CREAT | O_EXCL, plan->mode);
	if (fd < 0) {
		errno = -fd;
		return step_full(z);
	}
	return step_zip_data(z, i, fd, NULL);
}

static void step_add_base(void *arg, const char *name)
{
	json_array_append_new(arg, json_string(name));
}

/* Finds the names that the Dockerfile needs, for the log and for a base step. */
static int step_look_at_dockerfile(struct step_zip *z)
{
	autobuf struct buf text = { 0 };
	autoclose int fd = io_open_below(z->dir, "Dockerfile", O_RDONLY, 0);
	json_t *bases = json_array();
	struct dockerfile *d;
	int rc;

	json_object_set_new(z->s->result, "bases", bases);
	rc = fd < 0 ? fd : io_read_all(fd, &text, LIMIT_DOCKERFILE);
	if (rc == -EFBIG)
		return step_fail(z->s, "CONTAINER_BUILD_FAILED", z->e,
				 "The Dockerfile is longer than %llu KiB.", LIMIT_DOCKERFILE / KIB);
	if (rc < 0)
		return err_set(z->e, ERR_INTERNAL, "read the Dockerfile");
	d = dockerfile_parse((const char *)text.data, text.size, z->e);
	rc = d ? dockerfile_bases(d, z->s->arch, step_add_base, bases, z->e) : -1;
	dockerfile_free(d);
	if (rc)
		return step_fail(z->s, "CONTAINER_BUILD_FAILED", z->e,
				 "The container image build failed. %s", z->e->text);
	return 0;
}

int step_unpack(struct step *s, struct err *e)
{
	struct step_zip z = { .s = s, .dir = -1, .policy = zip_policy_new(), .e = e };
	int rc = step_zip_open(&z);

	if (!rc)
		rc = step_zip_judge_all(&z);
	/* chmod clears the set-group-id bit, which would otherwise get into the image */
	if (!rc && (mkdirat(3, "context", 0755) || fchmodat(3, "context", 0755, 0)))
		rc = err_sys(e, "make the build context");
	z.dir = rc ? -1 : io_open_below(3, "context", O_RDONLY | O_DIRECTORY, 0);
	if (!rc && z.dir < 0)
		rc = err_set(e, ERR_INTERNAL, "open the build context");
	for (size_t i = 0; !rc && i < z.n; i++)
		rc = step_zip_entry(&z, i);
	if (!rc)
		rc = step_look_at_dockerfile(&z);
	fd_close(&z.dir);
	if (z.zip)
		zip_discard(z.zip);
	free(z.plans);
	zip_policy_free(z.policy);
	return rc;
}
