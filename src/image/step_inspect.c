/* step_inspect.c - what a base image brings with it. */

#include <stdlib.h>
#include <string.h>

#include "image/step_lower.h"

#define INSPECT_PLAIN "localhost/doze/plain/"

static int inspect(const struct step *s, const char *image, char **id, json_t **config,
		   struct err *e)
{
	autobuf struct buf out = { 0 };
	const char *text;
	struct step_argv a;
	json_t *doc;

	step_buildah(s, &a, "inspect");
	step_arg(&a, "--type");
	step_arg(&a, "image");
	step_arg(&a, image);
	if (step_must(&a, &out, e))
		return -1;
	doc = json_loadb((const char *)out.data, out.size, 0, NULL);
	*config = json_incref(json_object_get(json_object_get(doc, "Docker"), "config"));
	text = json_string_value(json_object_get(doc, "FromImageID"));
	*id = xstrdup(text ? text : "");
	json_decref(doc);
	return *config ? 0 : err_set(e, ERR_INTERNAL, "the image '%s' has no configuration", image);
}

/* The builder throws away what RUN writes below a volume, and BuildKit keeps it. So the base loses
 * its volumes for the build, and the result gets them back. */
static int inspect_without_volumes(struct step *s, const char *image, const json_t *volumes,
				   const char *name, struct err *e)
{
	autobuf struct buf container = { 0 }, out = { 0 };
	const char *path;
	struct step_argv a;
	json_t *each;
	int rc;

	step_buildah(s, &a, "from");
	step_arg(&a, "--pull-never");
	step_arg(&a, image);
	if (step_must(&a, &container, e))
		return -1;
	while (container.size && container.data[container.size - 1] == '\n')
		container.size--;
	json_object_foreach((json_t *)(uintptr_t)volumes, path, each)
	{
		autofree char *without = xasprintf("%s-", path);

		step_buildah(s, &a, "config");
		step_arg(&a, "--volume");
		step_arg(&a, without);
		step_arg(&a, buf_str(&container));
		if (step_must(&a, &out, e)) {
			step_drop(s, &container);
			return -1;
		}
	}
	step_buildah(s, &a, "commit");
	step_arg(&a, "--format");
	step_arg(&a, "docker"); /* which knows SHELL and HEALTHCHECK */
	step_arg(&a, "--quiet");
	step_arg(&a, "--rm");
	step_arg(&a, buf_str(&container));
	step_arg(&a, name);
	rc = step_must(&a, &out, e);
	step_images_forget(s);
	return rc;
}

int inspect_base(struct step *s, char **image, char **id, json_t **config, struct err *e)
{
	const json_t *volumes;
	autofree char *plain = NULL;

	if (inspect(s, *image, id, config, e))
		return -1;
	volumes = json_object_get(*config, "Volumes");
	/* `buildah from` would run the triggers of the image. */
	if (!json_object_size(volumes) || json_array_size(json_object_get(*config, "OnBuild")))
		return 0;
	plain = xasprintf(INSPECT_PLAIN "%.64s", *id);
	if (step_images(s, e))
		return -1;
	if (!step_image_exists(s, plain)) {
		autofree char *tagged = xasprintf("%s:latest", plain);

		if (!step_image_exists(s, tagged) &&
		    inspect_without_volumes(s, *image, volumes, tagged, e))
			return -1;
	}
	free(*image);
	*image = xasprintf("%s:latest", plain);
	return 0;
}
