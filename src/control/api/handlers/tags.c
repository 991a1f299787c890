/* tags.c - tags of images (service.md 9.6). */

#include <string.h>

#include "control/api/call.h"
#include "control/images/images.h"

void tags_list(struct call *c)
{
	struct image *image = call_image(c, "Resource");

	if (image)
		call_answer(c,
			    json_pack("{s:o}", "Tags",
				      image->tags ? json_deep_copy(image->tags) : json_object()));
}

/* 204 has no body: made stays NULL. */
void tags_add(struct call *c)
{
	struct image *image = call_image(c, "Resource");
	json_t *tags;

	if (!image)
		return;
	tags = image->tags ? json_deep_copy(image->tags) : json_object();
	json_object_update(tags, json_object_get(c->in, "Tags"));
	images_set_tags(c->ctl, image, tags, call_done, c);
}

void tags_remove(struct call *c)
{
	struct image *image = call_image(c, "Resource");
	const json_t *key;
	json_t *tags;
	size_t i;

	if (!image)
		return;
	tags = image->tags ? json_deep_copy(image->tags) : json_object();
	json_array_foreach(json_object_get(c->in, "tagKeys"), i, key)
	{
		json_object_del(tags, json_string_value(key));
	}
	images_set_tags(c->ctl, image, tags, call_done, c);
}
