/* Serves `doze base`, and deletes versions. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "image/maintenance.h"
#include "image/registries.h"
#include "wire/reference.h"

static void bases_answer(struct image_role *role, uint64_t tag, bool ok, enum err_kind kind,
			 const char *text)
{
	struct build_result r = { .ok = ok, .kind = kind };

	snprintf(r.text, sizeof(r.text), "%s", text);
	if (role->control)
		chan_uv_send(role->control, BUILD_BASE_DONE, tag, &r, sizeof(r), NULL, 0);
}

/* What the step's codes are to a client. */
static const struct {
	const char *code;
	enum err_kind kind;
} base_codes[] = { { "NOT_FOUND", ERR_NOT_FOUND }, { "CONFLICT", ERR_CONFLICT } };

static enum err_kind bases_kind(const json_t *result)
{
	const char *code = json_string_value(json_object_get(result, "code"));

	for (size_t i = 0; code && i < ARRAY_SIZE(base_codes); i++)
		if (!strcmp(base_codes[i].code, code))
			return base_codes[i].kind;
	return ERR_INVALID;
}

static void bases_result(struct image_role *role, uint64_t tag, const json_t *result,
			 const struct err *e)
{
	const char *reason = json_string_value(json_object_get(result, "reason"));

	if (json_is_true(json_object_get(result, "ok")))
		bases_answer(role, tag, true, ERR_INTERNAL, "");
	else if (result)
		bases_answer(role, tag, false, bases_kind(result), reason ? reason : "it failed");
	else
		bases_answer(role, tag, false, e->kind, e->text);
}

static void bases_done(struct maintenance *m, const json_t *result, const struct err *e)
{
	uint64_t *tag = maintenance_arg(m);

	bases_result(maintenance_role(m), *tag, result, e);
	free(tag);
}

/* The names of our own bases mean the systems below them. */
static bool bases_name_valid(struct image_role *role, struct ipc_msg *m, struct reference *r)
{
	struct build_base *base = (void *)m->body;
	char text[IPC_TEXT_SIZE];
	struct err e;

	base->name[sizeof(base->name) - 1] = '\0';
	if (!reference_parse(r, base->name, &e))
		return true;
	snprintf(text, sizeof(text), "'%.150s' is no name of an image: %.300s.", base->name,
		 e.text);
	bases_answer(role, m->head.tag, false, ERR_INVALID, text);
	return false;
}

static void bases_start(struct image_role *role, struct ipc_msg *m, const char *step, int fd,
			enum priv_net net)
{
	const struct build_base *base = (const void *)m->body;
	uint64_t *tag = xmalloc(sizeof(*tag));

	*tag = m->head.tag;
	maintenance_start(role, &(struct maintenance_what){ NULL, step, base->name, fd, net },
			  bases_done, tag);
}

void bases_import(struct image_role *role, struct ipc_msg *m)
{
	struct reference r;

	if (!bases_name_valid(role, m, &r))
		return;
	lseek(m->fds[0], 0, SEEK_SET);
	bases_start(role, m, "import", m->fds[0], PRIV_NET_NONE);
}

void bases_remove(struct image_role *role, struct ipc_msg *m)
{
	struct reference r;

	if (bases_name_valid(role, m, &r))
		bases_start(role, m, "remove", -1, PRIV_NET_NONE);
}

/* Whoever holds a key may name any registry, but only those of the configuration may be where a
 * microVM cannot reach. */
void bases_pull(struct image_role *role, struct ipc_msg *m)
{
	struct reference r;

	if (!bases_name_valid(role, m, &r))
		return;
	if (!strcmp(role->conf->pull, "never"))
		bases_answer(role, m->head.tag, false, ERR_CONFLICT,
			     "No registry may be asked here ([build] pull = never).");
	else
		bases_start(role, m, "pull-base", -1,
			    registries_know(role->conf, r.registry) ? PRIV_NET_HOST
								    : PRIV_NET_SLOT);
}

/* Reads a size as buildah writes it: "271 MB". */
static uint64_t base_bytes(const char *text)
{
	static const struct {
		const char *unit;
		double factor;
	} units[] = { { "KB", 1e3 }, { "MB", 1e6 }, { "GB", 1e9 }, { "TB", 1e12 } };
	char *end;
	double n = strtod(text, &end);

	end += strspn(end, " ");
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (!strcmp(end, units[i].unit))
			return n > 0 && n < 1e6 ? (uint64_t)(n * units[i].factor) : 0;
	return n > 0 && n < 1e6 ? (uint64_t)n : 0;
}

/* "2026-11-22T20:33:00.123Z" */
static int64_t base_created(const char *text)
{
	struct tm t = { 0 };

	return strptime(text, "%Y-%m-%dT%H:%M:%S", &t) ? (int64_t)timegm(&t) * 1000 : 0;
}

static void bases_send_item(struct image_role *role, uint64_t tag, json_t *from)
{
	const char *name, *digest, *created, *size;
	struct build_base base = { 0 };

	if (json_unpack(from, "{s:s,s:s,s:s,s:s}", "name", &name, "digest", &digest, "created",
			&created, "size", &size) ||
	    strlen(name) >= sizeof(base.name) || strlen(digest) >= sizeof(base.digest))
		return;
	memcpy(base.name, name, strlen(name));
	memcpy(base.digest, digest, strlen(digest));
	base.created_ms = base_created(created);
	base.bytes = base_bytes(size);
	if (role->control)
		chan_uv_send(role->control, BUILD_BASE_ITEM, tag, &base, sizeof(base), NULL, 0);
}

static void bases_listed(struct maintenance *m, const json_t *result, const struct err *e)
{
	uint64_t *tag = maintenance_arg(m);
	json_t *each;
	size_t i;

	json_array_foreach(json_object_get(result, "bases"), i, each)
		bases_send_item(maintenance_role(m), *tag, each);
	bases_result(maintenance_role(m), *tag, result, e);
	free(tag);
}

void bases_list(struct image_role *role, struct ipc_msg *m)
{
	uint64_t *tag = xmalloc(sizeof(*tag));

	*tag = m->head.tag;
	maintenance_start(role, &(struct maintenance_what){ NULL, "list", NULL, -1, PRIV_NET_NONE },
			  bases_listed, tag);
}

struct removal {
	struct image_role *role;
	struct build_version version;
	uint64_t tag;
	int dir_fd;
	bool moved; /* no directory has the version's name any more */
	char gone[32];
};

static int removal_work(void *arg)
{
	struct removal *r = arg;
	char image[UUID_SIZE];
	int rc = io_remove_tree(r->dir_fd, r->gone);

	snprintf(image, sizeof(image), "%s", r->version.image);
	if (!rc && unlinkat(r->role->images_fd, image, AT_REMOVEDIR) && errno != ENOTEMPTY &&
	    errno != EEXIST)
		rc = -errno;
	return rc;
}

static void removal_done(void *arg, int rc)
{
	struct removal *r = arg;

	if (rc)
		log_warn("an image version's files stay image=%s version=%u", r->version.image,
			 r->version.version);
	/* Without this answer control keeps the version's row and asks again.  Files that are moved
	 * away need no row: the next sweep deletes them. */
	if (r->moved && r->role->control)
		chan_uv_send(r->role->control, BUILD_REMOVED, r->tag, &r->version,
			     sizeof(r->version), NULL, 0);
	fd_close(&r->dir_fd);
	free(r);
}

/* The version is renamed at once, and a child deletes its files. */
void remove_version(struct image_role *role, struct ipc_msg *m)
{
	struct removal *r = xcalloc(1, sizeof(*r));
	char name[16];
	struct err e;

	r->role = role;
	r->tag = m->head.tag;
	memcpy(&r->version, m->body, sizeof(r->version));
	r->version.image[UUID_SIZE - 1] = '\0';
	r->dir_fd = uuid_valid(r->version.image) ? io_open_below(role->images_fd, r->version.image,
								 O_RDONLY | O_DIRECTORY, 0)
						 : -ENOENT;
	r->moved = !uuid_valid(r->version.image) || r->dir_fd == -ENOENT;
	if (r->dir_fd < 0) {
		removal_done(r, r->moved ? 0 : r->dir_fd);
		return;
	}
	snprintf(name, sizeof(name), "%u", r->version.version);
	snprintf(r->gone, sizeof(r->gone), ".%u.gone", r->version.version);
	r->moved = !io_remove_tree(r->dir_fd, r->gone) &&
		   (!renameat(r->dir_fd, name, r->dir_fd, r->gone) || errno == ENOENT);
	if (!r->moved ||
	    !fork_task_start(role->loop, removal_work, r, (int[]){ r->dir_fd, role->images_fd }, 2,
			     removal_done, r, &e))
		removal_done(r, -EIO);
}
