/* The bases of the store: imports them, lists them, takes their names away. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/io.h"
#include "image/manifest.h"
#include "image/step_pull.h"
#include "wire/reference.h"

#define BASE_ARCHIVE "import.tar"

/* Not every name can be a part of another, so the mark has its hash. */
char *step_import_mark(const char *name)
{
	struct buf text = { (uint8_t *)(uintptr_t)name, strlen(name), 0, false };
	char digest[MANIFEST_DIGEST];

	manifest_digest(&text, digest);
	return xasprintf("localhost/doze/imported/%s:1", digest + strlen("sha256:"));
}

/* The name that an image gets in the store. */
static int base_stored(struct step *s, const char *name, char to[REFERENCE_MAX], struct err *e)
{
	autofree char *raw = step_debian_raw(name);
	struct reference r;
	struct err why;

	if (raw) {
		snprintf(to, REFERENCE_MAX, "%s", raw);
		return 0;
	}
	if (reference_parse(&r, name, &why))
		return step_fail(s, "INVALID", e, "'%s' is no name of an image: %s.", name,
				 why.text);
	reference_unify(&r);
	reference_name(&r, to);
	return 0;
}

/* Tells from the first bytes how an archive is packed; NULL: it is not. */
static const char *base_packing(void)
{
	static const struct {
		const char *magic;
		size_t size;
		const char *option;
	} packings[] = { { "\x1f\x8b", 2, "--gzip" },
			 { "\xfd"
			   "7zXZ",
			   5, "--xz" },
			 { "\x28\xb5\x2f\xfd", 4, "--zstd" } };
	char begin[8] = { 0 };

	if (pread(0, begin, sizeof(begin), 0) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(packings); i++)
		if (!memcmp(begin, packings[i].magic, packings[i].size))
			return packings[i].option;
	return NULL;
}

/* The archive comes on standard input. Device nodes cannot be made here and are not needed. */
static int base_untar(const char *root, struct err *e)
{
	static const char *const fixed[] = { "-x",
					     "-p",
					     "--numeric-owner",
					     "--xattrs",
					     "--xattrs-include=*",
					     "--exclude=./dev/*",
					     "--exclude=dev/*",
					     "-f",
					     "-" };
	const char *packing = base_packing();
	struct step_argv a = { 0 };

	step_arg(&a, "tar");
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		step_arg(&a, fixed[i]);
	if (packing)
		step_arg(&a, packing);
	step_arg(&a, "-C");
	step_arg(&a, root);
	return step_must(&a, NULL, e);
}

/* What a list of names at an archive's top says of it. */
static const struct base_archive {
	const char *file, *transport;
} base_archives[] = { { "manifest.json", "docker-archive" }, { "oci-layout", "oci-archive" } };

static bool base_lists(const char *list, const char *file)
{
	size_t n = strlen(file);

	for (const char *line = list; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *name = line + (strncmp(line, "./", 2) ? 0 : 2);

		if (!strncmp(name, file, n) && (name[n] == '\n' || !name[n]))
			return true;
	}
	return false;
}

/* NULL if the archive is that of a root file system.  `docker save` writes both files. */
static const struct base_archive *base_transport(struct err *e)
{
	autobuf struct buf list = { 0 };
	const char *packing = base_packing();
	const struct base_archive *found = NULL;
	struct step_argv a = { 0 };

	step_arg(&a, "tar");
	step_arg(&a, "-t");
	if (packing)
		step_arg(&a, packing);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(base_archives); i++) {
		static const char *const dotted[] = { "./manifest.json", "./oci-layout" };

		step_arg(&a, i % 2 ? dotted[i / 2] : base_archives[i / 2].file);
	}
	if (lseek(0, 0, SEEK_SET) || step_run_all(&a, &list, e) < 0)
		return NULL;
	for (size_t i = 0; !found && i < ARRAY_SIZE(base_archives); i++)
		if (base_lists(buf_str(&list), base_archives[i].file))
			found = &base_archives[i];
	return found;
}

/* buildah reads an archive by its name alone. */
static int base_load(struct step *s, const struct base_archive *archive, const char *stored,
		     struct err *e)
{
	autofree char *from = xasprintf("%s:%s", archive->transport, BASE_ARCHIVE);
	autofree char *usable = NULL;
	autobuf struct buf id = { 0 };
	autoclose int fd = io_open_below(3, BASE_ARCHIVE, O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct step_argv a;
	int rc = fd < 0 ? fd : io_copy_sparse(0, fd);

	if (rc)
		return err_set(e, ERR_INTERNAL, "copy the archive");
	step_buildah(s, &a, "pull");
	step_arg(&a, "--quiet");
	step_arg(&a, from);
	rc = step_run(&a, &id, NULL, e);
	step_images_forget(s);
	if (unlinkat(3, BASE_ARCHIVE, 0) || rc < 0)
		return rc < 0 ? rc : err_set(e, ERR_INTERNAL, "remove the archive's copy");
	while (id.size && id.data[id.size - 1] == '\n')
		id.size--;
	if (rc || !id.size || memchr(id.data, '\n', id.size))
		return step_fail(s, "ARCHIVE_INVALID", e,
				 "The archive is not that of one container image.");
	if (step_flatten(s, buf_str(&id), buf_str(&id), &usable, e))
		return -1;
	return step_tag(s, usable, stored, e);
}

static int base_unpack(struct step *s, const char *stored, struct err *e)
{
	autobuf struct buf container = { 0 }, root = { 0 };

	if (step_mount(s, "scratch", &container, &root, e))
		return -1;
	if (lseek(0, 0, SEEK_SET) || base_untar(buf_str(&root), e)) {
		step_drop(s, &container);
		return step_fail(s, "ARCHIVE_INVALID", e, "The base '%s' could not be unpacked: %s",
				 s->args.v[0], e->text);
	}
	if (step_commit(s, &container, stored, e)) {
		step_drop(s, &container);
		return -1;
	}
	return 0;
}

int step_import(struct step *s, struct err *e)
{
	const struct base_archive *archive;
	char stored[REFERENCE_MAX];
	autofree char *mark = NULL;
	struct err why = { 0 };

	if (s->args.n != 1)
		return err_set(e, ERR_INVALID, "import needs a name");
	if (base_stored(s, s->args.v[0], stored, e))
		return -1;
	if (strchr(stored, '@'))
		return step_fail(s, "INVALID", e,
				 "'%s' has a digest, which an import cannot promise.",
				 s->args.v[0]);
	archive = base_transport(&why);
	if (archive ? base_load(s, archive, stored, e) : base_unpack(s, stored, e))
		return -1;
	mark = step_import_mark(stored);
	return step_tag(s, stored, mark, e);
}

static bool base_has_prefix(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

/* Returns the name by which users know the base; NULL if the image is no base. */
static const char *base_shown(const char *name, char to[REFERENCE_MAX])
{
	static const char raw[] = "localhost/doze/raw/";
	struct reference r;
	struct err e;

	if (base_has_prefix(name, raw)) {
		snprintf(to, REFERENCE_MAX, "%s", name + strlen(raw));
		to[strcspn(to, ":")] = '\0';
		return to;
	}
	if (base_has_prefix(name, "localhost/doze/") || reference_parse(&r, name, &e))
		return NULL;
	reference_familiar(&r, to);
	return to;
}

static void base_list_image(json_t *bases, const json_t *image)
{
	const char *digest = json_string_value(json_object_get(image, "digest"));
	const char *created = json_string_value(json_object_get(image, "createdatraw"));
	const char *size = json_string_value(json_object_get(image, "size"));
	json_t *names = json_object_get(image, "names"), *name;
	bool tagged = false;
	size_t n;

	json_array_foreach(names, n, name) if (json_is_string(name) &&
					       !strchr(json_string_value(name), '@')) tagged = true;
	json_array_foreach(names, n, name)
	{
		char shown[REFERENCE_MAX];

		/* What was fetched by a tag has a second name, with its digest. */
		if (!json_is_string(name) || (tagged && strchr(json_string_value(name), '@')) ||
		    !base_shown(json_string_value(name), shown))
			continue;
		json_array_append_new(bases,
				      json_pack("{s:s,s:s,s:s,s:s}", "name", shown, "digest",
						digest ? digest : "", "created",
						created ? created : "", "size", size ? size : ""));
	}
}

int step_list_bases(struct step *s, struct err *e)
{
	json_t *bases = json_array(), *image;
	size_t i;

	json_object_set_new(s->result, "bases", bases);
	if (step_images(s, e))
		return -1;
	json_array_foreach(s->images, i, image) base_list_image(bases, image);
	return 0;
}

/* The image that a name means: as it is stored now, or as imports were before. */
static int base_stored_here(struct step *s, const char *name, char to[REFERENCE_MAX], struct err *e)
{
	autofree char *old = xasprintf("localhost/%s%s", name, strchr(name, ':') ? "" : ":latest");

	if (base_stored(s, name, to, e) || step_images(s, e))
		return -1;
	if (!step_image_exists(s, to) && !strchr(name, '/') && step_image_exists(s, old))
		snprintf(to, REFERENCE_MAX, "%s", old);
	if (!step_image_exists(s, to))
		return step_fail(s, "NOT_FOUND", e, "There is no base '%s'.", name);
	return 0;
}

static json_t *base_names(const struct step *s, const char *name)
{
	json_t *image, *names, *each;
	size_t i, n;

	json_array_foreach(s->images, i, image)
	{
		names = json_object_get(image, "names");
		json_array_foreach(names, n, each) if (!strcmp(json_string_value(each),
							       name)) return json_deep_copy(names);
	}
	return json_array();
}

/* A name with a digest, by which an image was fetched, keeps it in the store as a tag does, so it
 * goes with the last tag. */
static int base_remove_names(struct step *s, const char *stored, struct err *e)
{
	json_t *names = base_names(s, stored), *each;
	bool last = true;
	size_t n;
	int rc = step_untag(s, stored, e);

	json_array_foreach(names, n, each) if (!strchr(json_string_value(each), '@') &&
					       strcmp(json_string_value(each), stored) != 0) last =
		false;
	json_array_foreach(names, n, each) if (!rc && last &&
					       strchr(json_string_value(each), '@') &&
					       strcmp(json_string_value(each), stored) != 0) rc =
		step_untag(s, json_string_value(each), e);
	json_decref(names);
	return rc;
}

/* Layers that other images are made of stay, whatever their names are. */
int step_remove_base(struct step *s, struct err *e)
{
	autofree char *mark = NULL;
	char stored[REFERENCE_MAX];
	bool imported;

	if (s->args.n != 1)
		return err_set(e, ERR_INVALID, "remove needs a name");
	if (base_stored_here(s, s->args.v[0], stored, e))
		return -1;
	mark = step_import_mark(stored);
	imported = step_image_exists(s, mark);
	if (!step_untag(s, mark, e) && !step_images(s, e) && !base_remove_names(s, stored, e))
		return 0;
	if (imported && step_tag(s, stored, mark, e))
		return -1;
	return step_fail(s, "CONFLICT", e,
			 "The base '%s' is in use by a build; try again when it has ended.",
			 s->args.v[0]);
}
