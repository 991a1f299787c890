/* The queue of all builds, and what a build needs before its first stage. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fscrypt.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/log.h"
#include "image/build.h"

static void build_late(uv_timer_t *t)
{
	struct build *b = t->data;

	build_fail(b, build_boots(b) ? CODE_INTERNAL : CODE_BUILD,
		   "The build took longer than %lld seconds.",
		   (long long)(b->role->conf->build_timeout_ms / 1000));
}

static int build_open_log(struct build *b, struct err *e)
{
	autofree char *name = xasprintf("%s.log", b->what.name.build);

	b->log.fd =
		io_open_below(b->role->log_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0640);
	if (b->log.fd < 0 || image_share(b->role, b->log.fd, 0640))
		return err_set(e, ERR_INTERNAL, "open the build log");
	return 0;
}

/* All that is made for the version is encrypted from its first byte.  Control keeps the key in the
 * file system; our own claim on it is needed for the policies alone. */
static int build_encrypt_dirs(const struct build *b, struct err *e)
{
	uint8_t key[FSCRYPT_KEY_BYTES];
	struct fscrypt_id id;
	int rc;

	if (!b->spec.file_key)
		return 0;
	if (!hex_decode(b->spec.file_key, key, sizeof(key)))
		return err_set(e, ERR_INTERNAL, "the key of its files cannot be used");
	rc = fscrypt_add(b->files.draft_fd, key, &id);
	explicit_bzero(key, sizeof(key));
	if (!rc)
		rc = fscrypt_set(b->files.draft_fd, &id);
	if (!rc)
		rc = fscrypt_set(b->files.dir_fd, &id);
	if (rc != -EOPNOTSUPP && rc != -ENOTTY)
		fscrypt_remove(b->files.draft_fd, &id);
	errno = -rc;
	return rc ? err_sys(e, "encrypt its files") : 0;
}

static int build_open_dirs(struct build *b, struct err *e)
{
	struct image_role *role = b->role;

	snprintf(b->files.dir_name, sizeof(b->files.dir_name), "%s", b->what.name.build);
	snprintf(b->files.draft_name, sizeof(b->files.draft_name), ".%u.new",
		 b->what.version.version);
	if (io_remove_tree(role->build_fd, b->files.dir_name) ||
	    io_mkdir(role->build_fd, b->files.dir_name, 0770) ||
	    (io_mkdir(role->images_fd, b->what.version.image, 0750)))
		return err_set(e, ERR_INTERNAL, "make the build's directories");
	b->files.dir_fd =
		io_open_below(role->build_fd, b->files.dir_name, O_RDONLY | O_DIRECTORY, 0);
	b->files.image_fd =
		io_open_below(role->images_fd, b->what.version.image, O_RDONLY | O_DIRECTORY, 0);
	if (b->files.dir_fd < 0 || b->files.image_fd < 0 ||
	    image_share(role, b->files.image_fd, 0750) ||
	    io_remove_tree(b->files.image_fd, b->files.draft_name) ||
	    io_mkdir(b->files.image_fd, b->files.draft_name, 0750))
		return err_set(e, ERR_INTERNAL, "make the version's directory");
	b->files.draft_fd =
		io_open_below(b->files.image_fd, b->files.draft_name, O_RDONLY | O_DIRECTORY, 0);
	if (b->files.draft_fd < 0 || image_share(role, b->files.draft_fd, 0750))
		return err_set(e, ERR_INTERNAL, "open the version's directory");
	return build_encrypt_dirs(b, e);
}

static void build_log_warnings(struct build *b)
{
	json_t *each;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)b->spec.warnings, i, each) if (json_is_string(each))
		build_logf(b, "doze: warning: %s", json_string_value(each));
}

static void build_begin(struct build *b)
{
	struct err e;

	b->role->running++;
	b->began_ms = clock_mono_ms();
	b->stage.at = 0;
	b->deadline = build_timer(b, (uint64_t)b->role->conf->build_timeout_ms, 0, build_late);
	if (build_open_log(b, &e) || build_open_dirs(b, &e)) {
		log_err("%s build=%s", e.text, b->what.name.build);
		build_fail(b, CODE_INTERNAL, "Internal error: %s.", e.text);
		return;
	}
	build_log_warnings(b);
	b->stage.at = -1;
	build_next(b);
}

void builds_more(struct image_role *role)
{
	list_each(b, &role->builds, struct build, in)
	{
		if (!role->cleared || role->running >= (unsigned)role->conf->build_at_once)
			return;
		if (b->stage.at < 0) {
			build_begin(b);
			builds_more(role); /* the list may have changed */
			return;
		}
	}
}

static struct build *build_find(struct image_role *role, const char *id)
{
	list_each(b, &role->builds, struct build, in)
	{
		if (!strncmp(b->what.name.build, id, sizeof(b->what.name.build)))
			return b;
	}
	return NULL;
}

static int build_read_spec(struct build *b, int fd, struct err *e)
{
	autobuf struct buf text = { 0 };

	if (lseek(fd, 0, SEEK_SET) || io_read_all(fd, &text, SPEC_MAX))
		return err_set(e, ERR_INVALID, "the build spec cannot be read");
	if (!uuid_valid(b->what.name.build) || !uuid_valid(b->what.version.image) ||
	    !b->what.version.version)
		return err_set(e, ERR_INVALID, "the build has no proper name");
	return spec_read(&b->spec, text.data, text.size, e);
}

static void builds_start(struct image_role *role, struct ipc_msg *m)
{
	struct build *b = xcalloc(1, sizeof(*b));
	autoclose int fd = ipc_msg_take_fd(m, 0);
	struct build *known;
	struct err e;

	b->role = role;
	memcpy(&b->what, m->body, sizeof(b->what));
	b->done.name = b->what.name;
	b->done.engine = role->conf->kvm ? PRIV_MACHINE_VMM : PRIV_MACHINE_QEMU;
	b->engine = &engines[b->done.engine];
	b->stage.at = -1;
	b->log.fd = b->files.dir_fd = b->files.draft_fd = b->files.image_fd = b->artifact.fd = -1;
	b->boot.explanation_fd = b->files.root_fd = -1;
	b->clone.memory_fd = b->clone.from_fd = b->clone.touched_fd = -1;
	for (size_t i = 0; i < SAVE_NUM_FDS; i++)
		b->save_fds[i] = -1;
	known = build_find(role, b->what.name.build);
	if (known) { /* control was restarted */
		build_progress_resend(known);
		free(b);
		return;
	}
	list_add(&role->builds, &b->in);
	if (build_read_spec(b, fd, &e)) {
		log_err("%s build=%s", e.text, b->what.name.build);
		role->running++;
		b->stage.at = 0;
		build_fail(b, CODE_INTERNAL, "Internal error: %s.", e.text);
		return;
	}
	b->shape = spec_shape(b->spec.memory_mib, sysconf(_SC_NPROCESSORS_ONLN));
	builds_more(role);
}

static void builds_cancel(struct image_role *role, struct ipc_msg *m)
{
	const struct build_name *name = (const void *)m->body;
	struct build *b = build_find(role, name->build);

	if (!b)
		return;
	if (b->stage.at < 0) {
		role->running++;
		b->stage.at = 0;
	}
	build_fail(b, CODE_CANCELLED, "The build was cancelled.");
}

void builds_got(struct image_role *role, struct ipc_msg *m)
{
	/* clang-format off */
	static void (*const table[BUILD_NUM_TYPES])(struct image_role *role, struct ipc_msg *m) = {
		[BUILD_START]       = builds_start,
		[BUILD_CANCEL]      = builds_cancel,
		[BUILD_REMOVE]      = remove_version,
		[BUILD_BASE_IMPORT] = bases_import,
		[BUILD_BASE_REMOVE] = bases_remove,
		[BUILD_BASE_PULL]   = bases_pull,
		[BUILD_BASE_LIST]   = bases_list,
	};
	/* clang-format on */

	if (m->head.type < BUILD_NUM_TYPES && table[m->head.type])
		table[m->head.type](role, m);
}
