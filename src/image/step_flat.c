/* buildah adds no layer to an image whose history lists another number of layers than it has, as
 * images of tools that write no history.  Such an image gets one layer and a history of one entry.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/manifest.h"
#include "image/step_pull.h"

static bool flat_fits(const json_t *doc)
{
	const json_t *image = json_object_get(doc, "OCIv1"), *each;
	size_t i, layers = 0;

	json_array_foreach(json_object_get(image, "history"), i,
			   each) if (!json_is_true(json_object_get(each, "empty_layer"))) layers++;
	return layers ==
	       json_array_size(json_object_get(json_object_get(image, "rootfs"), "diff_ids"));
}

static int flat_make(struct step *s, const char *image, const char *name, struct err *e)
{
	autobuf struct buf container = { 0 }, out = { 0 };
	struct step_argv a;

	printf("doze: the history of %s does not fit its layers; they become one\n", image);
	if (step_from(s, image, &container, e))
		return -1;
	step_buildah(s, &a, "commit");
	step_arg(&a, "--squash");
	step_arg(&a, "--quiet");
	step_arg(&a, buf_str(&container));
	step_arg(&a, name);
	if (step_must(&a, &out, e)) {
		step_drop(s, &container);
		return -1;
	}
	step_drop(s, &container);
	step_images_forget(s);
	return 0;
}

char *step_flat_name(const char *as)
{
	struct buf text = { (uint8_t *)(uintptr_t)as, strlen(as), 0, false };
	char digest[MANIFEST_DIGEST];

	manifest_digest(&text, digest);
	return xasprintf("localhost/doze/flat/%s:1", digest + strlen("sha256:"));
}

int step_flatten(struct step *s, const char *image, const char *as, char **usable, struct err *e)
{
	autofree char *flat = step_flat_name(as);
	json_t *doc;
	bool fits;

	if (step_images(s, e))
		return -1;
	if (step_image_exists(s, flat)) {
		*usable = xstrdup(flat);
		return 0;
	}
	doc = step_inspect(s, image, e);
	if (!doc)
		return -1;
	fits = flat_fits(doc);
	json_decref(doc);
	*usable = xstrdup(fits ? image : flat);
	return fits ? 0 : flat_make(s, image, flat, e);
}
