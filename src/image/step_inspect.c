/* step_inspect.c - what a base image brings with it. */

#include <stdlib.h>
#include <string.h>

#include "image/step_lower.h"

#define INSPECT_PLAIN   "localhost/doze/plain/"
#define INSPECT_VOLUMES 256

static int inspect(const struct step *s, const char *image, char **id, json_t **config,
		   struct err *e)
{
	json_t *doc = step_inspect(s, image, e);
	const char *text = json_string_value(json_object_get(doc, "FromImageID"));

	if (!doc)
		return -1;
	*config = json_incref(json_object_get(json_object_get(doc, "Docker"), "config"));
	*id = xstrdup(text ? text : "");
	json_decref(doc);
	return *config ? 0 : err_set(e, ERR_INTERNAL, "the image '%s' has no configuration", image);
}

/* A stranger's image has a configuration of some mebibytes, all of which is walked through. */
static int inspect_check(struct step *s, const char *image, const json_t *config, struct err *e)
{
	static const struct {
		const char *name, *shown;
		size_t most;
	} limits[] = { { "Volumes", "volumes", INSPECT_VOLUMES },
		       { "Env", "variables", 4096 },
		       { "OnBuild", "triggers", 256 } };

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		const json_t *list = json_object_get(config, limits[i].name);

		if (json_object_size(list) + json_array_size(list) > limits[i].most)
			return step_fail(s, "CONTAINER_BUILD_FAILED", e,
					 "The container image build failed. The base image '%s' "
					 "has more than %zu %s.",
					 image, limits[i].most, limits[i].shown);
	}
	return 0;
}

/* One call of the builder for all of them, since each takes a second. */
static int inspect_drop_volumes(const struct step *s, const json_t *volumes, struct buf *container,
				struct err *e)
{
	char *texts[INSPECT_VOLUMES];
	autobuf struct buf out = { 0 };
	struct step_argv a;
	const char *path;
	json_t *each;
	size_t n = 0;
	int rc;

	step_buildah(s, &a, "config");
	json_object_foreach((json_t *)(uintptr_t)volumes, path, each)
	{
		texts[n] = xasprintf("--volume=%s-", path);
		step_arg(&a, texts[n++]);
	}
	step_arg(&a, buf_str(container));
	rc = step_must(&a, &out, e);
	while (n)
		free(texts[--n]);
	return rc;
}

/* The builder throws away what RUN writes below a volume, and BuildKit keeps it. So the base loses
 * its volumes for the build, and the result gets them back. */
static int inspect_without_volumes(struct step *s, const char *image, const json_t *volumes,
				   const char *name, struct err *e)
{
	autobuf struct buf container = { 0 }, out = { 0 };
	struct step_argv a;
	int rc;

	if (step_from(s, image, &container, e))
		return -1;
	if (inspect_drop_volumes(s, volumes, &container, e)) {
		step_drop(s, &container);
		return -1;
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

	if (inspect(s, *image, id, config, e) || inspect_check(s, *image, *config, e))
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
