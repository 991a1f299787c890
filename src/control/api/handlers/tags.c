/* tags.c - tags of images (service.md 9.6) and of network connectors. */

#include <string.h>

#include "control/api/call.h"
#include "control/api/handlers/handlers.h"
#include "control/api/resolve.h"
#include "control/connectors/connectors.h"
#include "control/images/images.h"

/* Tags belong to the connector as a whole, so an ARN with a version names no resource.  NULL: the
 * call has failed. */
static struct connector *tags_connector(struct call *c)
{
	struct connector_version *v;
	struct connector *connector = call_connector(c, "Resource", &v);

	if (!connector || !v)
		return connector;
	call_not_found(c, "Network connector not found for: %s", call_text(c, "Resource"));
	return NULL;
}

static void tags_answer(struct call *c, const json_t *tags)
{
	call_answer(c, json_pack("{s:o}", "Tags", tags ? json_deep_copy(tags) : json_object()));
}

void tags_list(struct call *c)
{
	bool is_connector = arn_is_connector(call_text(c, "Resource"));
	const struct connector *connector = is_connector ? tags_connector(c) : NULL;
	const struct image *image = is_connector ? NULL : call_image(c, "Resource");

	if (connector)
		tags_answer(c, connector->tags);
	else if (image)
		tags_answer(c, image->tags);
}

/* The answer is a 204, which has no body: c->made stays NULL. */
static void tags_change(struct call *c, images_tags_edit *edit, const json_t *by)
{
	bool is_connector = arn_is_connector(call_text(c, "Resource"));
	struct connector *connector = is_connector ? tags_connector(c) : NULL;
	struct image *image = is_connector ? NULL : call_image(c, "Resource");

	if (connector)
		connectors_set_tags(c->ctl, connector, edit, by,
				    &(struct connectors_asker){ NULL, call_done, c });
	else if (image)
		images_set_tags(c->ctl, image, edit, by, call_done, c);
}

static void tags_merge(json_t *tags, const json_t *by)
{
	json_object_update(tags, (json_t *)(uintptr_t)by);
}

void tags_add(struct call *c)
{
	tags_change(c, tags_merge, json_object_get(c->in, "Tags"));
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
	tags_change(c, tags_drop, json_object_get(c->in, "tagKeys"));
}
