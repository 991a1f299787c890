/* Works in the layer store through buildah. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/io.h"
#include "image/step.h"

/* Whoever reads the list takes it that every name is a text. */
static bool step_images_proper(struct step *s)
{
	json_t *image, *each;
	size_t i, n;

	json_array_foreach(s->images, i, image) json_array_foreach(
		json_object_get(image, "names"), n, each) if (!json_is_string(each)) return false;
	return s->images;
}

int step_images(struct step *s, struct err *e)
{
	autobuf struct buf out = { 0 };
	struct step_argv a;

	if (s->images)
		return 0;
	step_buildah(s, &a, "images");
	step_arg(&a, "--json");
	if (step_must(&a, &out, e))
		return err_wrap(e, "list the images of the store");
	s->images = json_loadb((const char *)out.data, out.size, 0, NULL);
	return step_images_proper(s)
		       ? 0
		       : err_set(e, ERR_INTERNAL, "the store's list of images is not as expected");
}

void step_images_forget(struct step *s)
{
	json_decref(s->images);
	s->images = NULL;
}

/* A text of the image of that name in the list, or NULL. */
static const char *step_image_text(const struct step *s, const char *name, const char *key)
{
	json_t *image, *each;
	size_t i, n;

	json_array_foreach(s->images, i, image) json_array_foreach(
		json_object_get(image, "names"), n,
		each) if (!strcmp(json_string_value(each),
				  name)) return json_string_value(json_object_get(image, key));
	return NULL;
}

const char *step_image_id(const struct step *s, const char *name)
{
	return step_image_text(s, name, "id");
}

const char *step_image_digest(const struct step *s, const char *name)
{
	const char *digest = step_image_text(s, name, "digest");

	return digest ? digest : "";
}

bool step_image_exists(const struct step *s, const char *name)
{
	return step_image_id(s, name);
}

int step_untag(struct step *s, const char *name, struct err *e)
{
	autobuf struct buf out = { 0 };
	struct step_argv a;
	int rc;

	if (step_images(s, e))
		return -1;
	if (!step_image_exists(s, name))
		return 0;
	step_buildah(s, &a, "rmi");
	step_arg(&a, name);
	rc = step_must(&a, &out, e);
	step_images_forget(s); /* @name may be in that list */
	return rc;
}

int step_tag(struct step *s, const char *image, const char *name, struct err *e)
{
	autobuf struct buf out = { 0 };
	struct step_argv a;
	int rc;

	step_buildah(s, &a, "tag");
	step_arg(&a, image);
	step_arg(&a, name);
	rc = step_must(&a, &out, e);
	step_images_forget(s); /* @image may be in that list */
	return rc;
}

static void step_chomp(struct buf *b)
{
	while (b->size && (b->data[b->size - 1] == '\n' || b->data[b->size - 1] == '\r'))
		b->size--;
}

json_t *step_inspect(const struct step *s, const char *image, struct err *e)
{
	autobuf struct buf out = { 0 };
	struct step_argv a;
	json_t *doc;

	step_buildah(s, &a, "inspect");
	step_arg(&a, "--type");
	step_arg(&a, "image");
	step_arg(&a, image);
	if (step_must(&a, &out, e))
		return NULL;
	doc = json_loadb((const char *)out.data, out.size, 0, NULL);
	if (!doc)
		err_set(e, ERR_INTERNAL, "the description of the image '%s' is no JSON", image);
	return doc;
}

int step_from(const struct step *s, const char *image, struct buf *container, struct err *e)
{
	struct step_argv a;

	step_buildah(s, &a, "from");
	step_arg(&a, "--pull-never");
	step_arg(&a, image);
	if (step_must(&a, container, e))
		return -1;
	step_chomp(container);
	return 0;
}

int step_mount(struct step *s, const char *image, struct buf *container, struct buf *root,
	       struct err *e)
{
	struct step_argv a;

	if (step_from(s, image, container, e))
		return -1;
	step_buildah(s, &a, "mount");
	step_arg(&a, buf_str(container));
	if (step_must(&a, root, e)) {
		step_drop(s, container);
		return -1;
	}
	step_chomp(root);
	return 0;
}

int step_commit(struct step *s, struct buf *container, const char *name, struct err *e)
{
	autobuf struct buf out = { 0 };
	struct step_argv a;

	step_buildah(s, &a, "umount");
	step_arg(&a, buf_str(container));
	if (step_must(&a, &out, e))
		return -1;
	step_buildah(s, &a, "commit");
	step_arg(&a, "--rm");
	step_arg(&a, "--quiet");
	step_arg(&a, buf_str(container));
	step_arg(&a, name);
	step_images_forget(s);
	return step_must(&a, &out, e);
}

void step_drop(struct step *s, struct buf *container)
{
	static const char *const verbs[] = { "umount", "rm" };
	struct err ignored;

	for (size_t i = 0; container->size && i < ARRAY_SIZE(verbs); i++) {
		autobuf struct buf out = { 0 };
		struct step_argv a;

		step_buildah(s, &a, verbs[i]);
		step_arg(&a, buf_str(container));
		if (step_run(&a, &out, NULL, &ignored))
			continue;
	}
}

int step_lock(struct step *s, const char *name, struct err *e)
{
	autofree char *path = xasprintf("%s/%s.lock", s->store, name);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_sys(e, "open the lock '%s'", path);
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		printf("doze: another build prepares %s; waiting for it\n", name);
		if (flock(fd, LOCK_EX)) {
			close(fd);
			return err_sys(e, "lock '%s'", path);
		}
	}
	return fd;
}

#define STEP_PRUNE_PERCENT 70 /* used space of the store above which it is pruned */
#define STEP_BALLAST       (64 * MIB)

static unsigned step_used_percent(const struct step *s)
{
	struct statvfs fs;

	if (statvfs(s->store, &fs) || !fs.f_blocks)
		return 0;
	return (unsigned)(100 - 100 * fs.f_bavail / fs.f_blocks);
}

static uint64_t step_free_bytes(const struct step *s)
{
	struct statvfs fs;

	return statvfs(s->store, &fs) ? 0 : (uint64_t)fs.f_bavail * fs.f_frsize;
}

bool step_store_full(const struct step *s)
{
	return step_free_bytes(s) < STEP_BALLAST;
}

/* buildah needs room to free room, so a spare file is kept and deleted when the store is full. */
static void step_ballast(const struct step *s, bool keep)
{
	autofree char *path = xasprintf("%s/ballast", s->store);
	autoclose int fd = -1;

	if (!keep) {
		if (unlink(path) && errno != ENOENT)
			printf("doze: warning: '%s' cannot be removed\n", path);
		return;
	}
	if (step_free_bytes(s) < 4 * STEP_BALLAST)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || posix_fallocate(fd, 0, STEP_BALLAST))
		printf("doze: warning: '%s' cannot be made\n", path);
}

void step_make_room(const struct step *s)
{
	if (step_store_full(s))
		step_ballast(s, false);
}

/* RUN's caches are what is left to give if the images were not enough. */
static void step_prune_caches(const struct step *s)
{
	autoclose int store = open(s->store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (step_used_percent(s) < STEP_PRUNE_PERCENT || store < 0)
		return;
	printf("doze: the caches of RUN are removed\n");
	if (io_remove_tree(store, "caches"))
		printf("doze: warning: they cannot be removed whole\n");
}

/* Results of finished builds are only a cache, because their disks are elsewhere.  So are an image
 * that a registry gave and that no tag means any more, and what is made of one (step_flat.c). */
static bool step_is_cache(const json_t *image, const char *name)
{
	json_t *names = json_object_get(image, "names"), *each;
	size_t n;

	if (!strncmp(name, "localhost/doze/image/", 21) ||
	    !strncmp(name, "localhost/doze/flat/", 20) ||
	    !strncmp(name, "localhost/doze/plain/", 21))
		return true;
	json_array_foreach(names, n, each) if (!strchr(json_string_value(each), '@')) return false;
	return true;
}

static int step_prune_cache(struct step *s, struct err *e)
{
	autobuf struct buf out = { 0 };
	struct step_argv a;
	json_t *image, *name;
	size_t i, n;

	json_array_foreach(s->images, i, image)
		json_array_foreach(json_object_get(image, "names"), n, name)
	{
		if (!step_is_cache(image, json_string_value(name)))
			continue;
		step_buildah(s, &a, "rmi");
		step_arg(&a, json_string_value(name));
		if (step_run(&a, &out, NULL, e) < 0)
			return -1;
	}
	return 0;
}

/* Images without a name go first. If that is not enough, what is only a cache goes too. */
static int step_prune_images(struct step *s, struct err *e)
{
	autobuf struct buf out = { 0 };
	struct step_argv a;
	int rc;

	step_buildah(s, &a, "rmi");
	step_arg(&a, "--prune");
	step_arg(&a, "--force");
	if (step_run(&a, &out, NULL, e) < 0)
		return -1;
	step_images_forget(s);
	if (step_used_percent(s) < STEP_PRUNE_PERCENT)
		return 0;
	if (step_images(s, e))
		return -1;
	rc = step_prune_cache(s, e);
	step_images_forget(s);
	return rc;
}

int step_prune(struct step *s, struct err *e)
{
	int rc = 0;

	if (step_used_percent(s) >= STEP_PRUNE_PERCENT) {
		printf("doze: the store of image layers is %u %% full; pruning it\n",
		       step_used_percent(s));
		step_ballast(s, false);
		rc = step_prune_images(s, e);
		if (!rc)
			step_prune_caches(s);
	}
	step_ballast(s, true);
	return rc;
}

/* Every step that works in the store holds this lock in shared mode for as long as it lives. */
static int step_hold_store(struct step *s, int how)
{
	autofree char *path = xasprintf("%s/active.lock", s->store);
	int rc;

	fd_close(&s->hold);
	s->hold = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	do
		rc = s->hold < 0 ? -1 : flock(s->hold, how);
	while (rc && errno == EINTR);
	return rc;
}

int step_use_store(struct step *s, struct err *e)
{
	return step_hold_store(s, LOCK_SH) ? err_sys(e, "enter the store of image layers") : 0;
}

static bool step_has_containers(const struct step *s)
{
	autofree char *path = xasprintf("%s/overlay-containers/containers.json", s->store);
	json_t *list = json_load_file(path, 0, NULL);
	bool any = json_array_size(list) > 0;

	json_decref(list);
	return any;
}

int step_drop_left(struct step *s, struct err *e)
{
	autobuf struct buf out = { 0 };
	struct step_argv a;

	if (!step_has_containers(s) || step_hold_store(s, LOCK_EX | LOCK_NB))
		return 0;
	step_make_room(s);
	step_buildah(s, &a, "rm");
	step_arg(&a, "--all");
	if (step_run_all(&a, &out, e) < 0)
		return -1;
	return step_prune(s, e);
}
