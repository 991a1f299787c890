/* tags.c - tags of images (service.md 9.6). */

#include <string.h>

#include "control/api/call.h"
#include "control/api/handlers/handlers.h"
#include "control/api/resolve.h"
#include "control/images/images.h"

void tags_list(struct call *c)
{
	struct image *image = call_image(c, "Resource");

	if (image)
		call_answer(c,
			    json_pack("{s:o}", "Tags",
				      image->tags ? json_deep_copy(image->tags) : json_object()));
}

static void tags_merge(json_t *tags, const json_t *by)
{
	json_object_update(tags, (json_t *)(uintptr_t)by);
}

/* The answer is a 204, which has no body: c->made stays NULL. */
void tags_add(struct call *c)
{
	struct image *image = call_image(c, "Resource");

	if (image)
		images_set_tags(c->ctl, image, tags_merge, json_object_get(c->in, "Tags"),
				call_done, c);
}

static void tags_drop(json_t *tags, const json_t *by)
{
	const json_t *key;
	size_t i;

	json_array_foreach(by, i, key)
	{
		json_object_del(tags, json_string_value(key));
	}
}

void tags_remove(struct call *c)
{
	struct image *image = call_image(c, "Resource");

	if (image)
		images_set_tags(c->ctl, image, tags_drop, json_object_get(c->in, "tagKeys"),
				call_done, c);
}
