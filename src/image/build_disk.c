/* Makes the disk of a version, the description of what is started on it, and the overlay that every
 * clone begins with. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "image/build.h"

#define APP_FILE_MAX (8 * MIB) /* twice the size of what a step may report */
#define OVERLAY_MAX  ((off_t)(16 * MIB))

/* The disk of a fresh version is empty at first.  doze-build may write into the file, because the
 * directory's group is its own. */
static int build_make_root(struct build *b)
{
	autoclose int fd = io_open_below(b->files.dir_fd, "root", O_RDWR | O_CREAT | O_TRUNC, 0660);

	if (fd < 0 || fchmod(fd, 0660) || ftruncate(fd, (off_t)b->shape.disk_gib * (off_t)GIB))
		return -1;
	b->files.root_fd = io_open_below(b->files.dir_fd, "root", O_RDONLY, 0);
	return b->files.root_fd < 0;
}

/* It must still be the file that the microVM has. */
static int build_take_root(struct build *b)
{
	autoclose int fd = -1;
	struct stat had, is;

	if (renameat(b->files.dir_fd, "root", b->files.draft_fd, "root"))
		return -1;
	fd = io_open_below(b->files.draft_fd, "root", O_RDONLY, 0);
	return fd < 0 || image_share(b->role, fd, 0640) || fstat(fd, &is) ||
	       fstat(b->files.root_fd, &had) || is.st_ino != had.st_ino || is.st_dev != had.st_dev;
}

static void build_env_drop(struct build *b, const char *pair)
{
	autofree char *key = xstrdup(pair);

	key[strcspn(key, "=")] = '\0';
	app_unsetenv(&b->app, key);
}

static int build_read_app(struct build *b, const json_t *said, struct err *e)
{
	json_t *size = json_object_get(said, "codeBytes");

	if (app_read(&b->app, json_object_get(said, "config"), e) ||
	    health_read(&b->check, json_object_get(said, "config"), e))
		return -1;
	b->done.code_bytes = (uint64_t)json_integer_value(size);
	b->done.n_ports = (uint32_t)b->app.n_ports;
	memcpy(b->done.ports, b->app.ports, sizeof(b->done.ports));
	return 0;
}

/* The file is described in docs/data-layout.md, "app.json". It lacks the variables that [build] env
 * gave to RUN. */
static int build_write_app(struct build *b, const json_t *said, struct err *e)
{
	json_t *config = json_copy(json_object_get(said, "config")), *env = json_array();
	json_t *o = json_pack("{s:o,s:I}", "config", config, "codeBytes",
			      (json_int_t)b->done.code_bytes);
	autofree char *text = NULL;
	autoclose int fd = image_create(b->role, b->files.draft_fd, BUILD_APP_FILE, e);

	for (size_t i = 0; i < b->app.n_env; i++)
		json_array_append_new(env, json_string(b->app.env[i]));
	json_object_set_new(config, "Env", env);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (fd < 0)
		return -1;
	if (!text || io_write_full(fd, text, strlen(text)))
		return err_set(e, ERR_INTERNAL, "the file '" BUILD_APP_FILE "' cannot be written");
	return 0;
}

static void build_disk_made(struct build *b, const json_t *result)
{
	struct err e;

	if (build_read_app(b, result, &e)) {
		build_fail(b, CODE_BUILD, "The container image cannot be started: %s.", e.text);
		return;
	}
	build_env_each(b, build_env_drop);
	if (build_write_app(b, result, &e))
		build_fail(b, CODE_INTERNAL, "Internal error: %s.", e.text);
	else if (build_take_root(b))
		build_fail(b, CODE_INTERNAL, "The disk could not be put in its place.");
	else
		build_next(b);
}

static void build_gib(struct build *b)
{
	autofree char *size = xasprintf("--gib=%ld", b->shape.disk_gib);

	job_arg(&b->job, size);
}

void build_disk(struct build *b)
{
	autofree char *tag = build_tag(b);

	build_step(b, "disk", PRIV_NET_NONE);
	b->stepped = build_disk_made;
	job_option(&b->job, "--tag", tag);
	build_gib(b);
	job_start(&b->job, -1);
}

static int build_load_app(struct build *b, struct err *e)
{
	autoclose int fd = io_open_below(b->files.draft_fd, BUILD_APP_FILE, O_RDONLY, 0);
	autobuf struct buf text = { 0 };
	json_t *said;
	int rc;

	if (fd < 0 || io_read_all(fd, &text, APP_FILE_MAX))
		return err_set(e, ERR_INTERNAL, "its " BUILD_APP_FILE " cannot be read");
	said = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
	rc = build_read_app(b, said, e);
	json_decref(said);
	return rc;
}

/* Files of a version never change, so a hard link is as good as a copy, and it keeps a file when
 * the version that it came from is deleted. */
static int build_link(struct build *b, int from, struct err *e)
{
	static const char *const names[] = { "root", BUILD_APP_FILE };
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (linkat(from, names[i], b->files.draft_fd, names[i], 0))
			return err_sys(e, "link its file '%s'", names[i]);
	b->files.root_fd = io_open_below(b->files.draft_fd, "root", O_RDONLY, 0);
	if (b->files.root_fd < 0 || fstat(b->files.root_fd, &st))
		return err_sys(e, "look at it");
	b->shape.disk_gib = (long)(st.st_size / (off_t)GIB);
	return 0;
}

void build_take_disk(struct build *b)
{
	autofree char *name = xasprintf("%lld", (long long)b->spec.rebuild_of);
	autoclose int from = io_open_below(b->files.image_fd, name, O_RDONLY | O_DIRECTORY, 0);
	struct err e;

	build_logf(b, "doze: from the disk of version %s.0", name);
	if (from < 0)
		build_fail(b, CODE_BUILD,
			   "Version %s.0, whose disk was to be reused, no longer exists.", name);
	else if (faccessat(from, BUILD_APP_FILE, F_OK, 0))
		build_fail(b, CODE_BUILD,
			   "Version %s.0 was made by an older doze, which did not keep what a "
			   "rebuild needs: build the image again from its artifact.",
			   name);
	else if (build_link(b, from, &e) || build_load_app(b, &e))
		build_fail(b, CODE_INTERNAL, "The disk of version %s.0 cannot be reused: %s.", name,
			   e.text);
	else
		build_next(b);
}

/* The step's file belongs to a stranger, so the version gets a copy with our owner and mode. */
static int build_put_overlay(struct build *b, struct err *e)
{
	autoclose int from = io_open_below(b->files.dir_fd, "overlay", O_RDONLY | O_NONBLOCK, 0);
	autoclose int to = image_create(b->role, b->files.draft_fd, "overlay", e);
	struct stat st;
	int rc;

	if (to < 0)
		return -1;
	if (from < 0 || fstat(from, &st) || !S_ISREG(st.st_mode) || st.st_size > OVERLAY_MAX)
		return err_set(e, ERR_INTERNAL, "the step left no proper overlay");
	rc = io_copy_sparse(from, to);
	errno = -rc;
	return rc ? err_sys(e, "copy the overlay") : 0;
}

static void build_overlay_made(struct build *b, const json_t *result)
{
	struct err e;

	(void)result;
	if (build_put_overlay(b, &e))
		build_fail(b, CODE_INTERNAL, "Internal error: %s.", e.text);
	else
		build_boot_begin(b);
}

/* The engine decides: it is an empty qcow2, which only qemu-img makes, or an empty file. */
void build_empty_overlay(struct build *b)
{
	autoclose int fd = -1;
	struct err e;

	if (b->files.root_fd < 0 && build_make_root(b)) {
		build_fail(b, CODE_INTERNAL, "The disk's file could not be made.");
		return;
	}
	if (b->engine->qcow2) {
		build_step(b, "overlay", PRIV_NET_NONE);
		b->stepped = build_overlay_made;
		build_gib(b);
		job_start(&b->job, -1);
		return;
	}
	fd = image_create(b->role, b->files.draft_fd, "overlay", &e);
	if (fd < 0)
		build_fail(b, CODE_INTERNAL, "Internal error: %s.", e.text);
	else
		build_boot_begin(b);
}
