/* Imports bases, lists them, and clears the store and a build's directory. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "image/step.h"

/* The default bases are imported below their fronts. */
static char *base_image_name(const char *name)
{
	if (!strcmp(name, "debian-12") || !strcmp(name, "debian-13"))
		return xasprintf("localhost/doze/raw/%s:1", name);
	return xasprintf("localhost/%s%s", name, strchr(name, ':') ? "" : ":latest");
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

int step_import(struct step *s, struct err *e)
{
	autobuf struct buf container = { 0 }, root = { 0 };
	autofree char *image = NULL;

	if (s->args.n != 1)
		return err_set(e, ERR_INVALID, "import needs a name");
	image = base_image_name(s->args.v[0]);
	if (step_mount(s, "scratch", &container, &root, e))
		return -1;
	if (base_untar(buf_str(&root), e)) {
		step_drop(s, &container);
		return step_fail(s, "ARCHIVE_INVALID", e, "The base '%s' could not be unpacked: %s",
				 s->args.v[0], e->text);
	}
	if (step_commit(s, &container, image, e)) {
		step_drop(s, &container);
		return -1;
	}
	return 0;
}

/* Returns the name by which users know the base; NULL if the image is no base. */
static const char *base_shown(const char *name, char *to, size_t room)
{
	static const char raw[] = "localhost/doze/raw/", own[] = "localhost/";
	const char *from = name;

	if (!strncmp(name, raw, sizeof(raw) - 1))
		from = name + sizeof(raw) - 1;
	else if (!strncmp(name, "localhost/doze/", 15))
		return NULL;
	else if (!strncmp(name, own, sizeof(own) - 1))
		from = name + sizeof(own) - 1;
	if (snprintf(to, room, "%s", from) >= (int)room)
		return NULL;
	if (from == name + sizeof(raw) - 1)
		to[strcspn(to, ":")] = '\0';
	else if (strlen(to) > 7 && !strcmp(to + strlen(to) - 7, ":latest"))
		to[strlen(to) - 7] = '\0';
	return to;
}

int step_list_bases(struct step *s, struct err *e)
{
	json_t *bases = json_array(), *images, *image, *name;
	autobuf struct buf out = { 0 };
	struct step_argv a;
	size_t i, n;

	json_object_set_new(s->result, "bases", bases);
	step_buildah(s, &a, "images");
	step_arg(&a, "--json");
	if (step_must(&a, &out, e))
		return -1;
	images = json_loadb((const char *)out.data, out.size, 0, NULL);
	json_array_foreach(images, i, image)
		json_array_foreach(json_object_get(image, "names"), n, name)
	{
		const char *digest = json_string_value(json_object_get(image, "digest"));
		const char *created = json_string_value(json_object_get(image, "createdatraw"));
		const char *size = json_string_value(json_object_get(image, "size"));
		char shown[128];

		if (json_is_string(name) &&
		    base_shown(json_string_value(name), shown, sizeof(shown)))
			json_array_append_new(bases, json_pack("{s:s,s:s,s:s,s:s}", "name", shown,
							       "digest", digest ? digest : "",
							       "created", created ? created : "",
							       "size", size ? size : ""));
	}
	json_decref(images);
	return 0;
}

int step_reset(struct step *s, struct err *e)
{
	if (step_drop_left(s, e))
		return -1;
	return step_prune(s, e);
}

/* Only this side may delete the files that it has made. `result.json` is written afterwards. */
int step_clean(struct step *s, struct err *e)
{
	static const char *const dirs[] = { "context", "heredocs", "home", "run", "tmp" };

	if (s->store && step_drop_left(s, e))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (io_remove_tree(3, dirs[i]))
			return err_set(e, ERR_INTERNAL, "clear the build's directory '%s'",
				       dirs[i]);
	return 0;
}
