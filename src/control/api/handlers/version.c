/* version.c - versions of an image and their builds. */

#include <stdio.h>
#include <string.h>

#include "base/host.h"
#include "control/api/encode.h"
#include "control/api/handlers/handlers.h"
#include "control/api/page.h"
#include "control/api/resolve.h"
#include "control/images/images.h"

void version_get(struct call *c)
{
	struct image_version *v = call_version(c);

	if (v)
		call_answer(c, encode_version(c->ctl, v));
}

void version_list(struct call *c)
{
	struct image *image = call_image(c, "imageIdentifier");
	struct page page;

	if (!image || !page_begin(&page, c))
		return;
	list_each_back(v, &image->versions, struct image_version, in_image)
	{
		if (page_takes(&page, "version", v->number))
			page_add(&page, encode_version(c->ctl, v));
	}
	page_answer(&page);
}

static void version_updated(void *arg, int rc, const struct err *e)
{
	struct call *c = arg;
	struct image_version *v;

	if (rc) {
		call_fail(c, e);
		return;
	}
	v = call_version(c); /* it may have been deleted while the store was writing */
	if (v)
		call_answer(c, encode_version(c->ctl, v));
}

void version_update(struct call *c)
{
	struct image_version *v = call_version(c);
	bool active = !strcmp(call_text(c, "status"), version_status_name[VERSION_ACTIVE]);

	if (v)
		images_set_status(c->ctl, v, active ? VERSION_ACTIVE : VERSION_INACTIVE,
				  version_updated, c);
}

/* Tells whether this version was there once. */
static bool version_is_gone(struct call *c)
{
	const char *arn = call_text(c, "imageIdentifier");
	int64_t number = version_number(call_text(c, "imageVersion"));
	struct image *image = find_image(c->ctl, c->who->account, arn);

	if (!image)
		return image_is_gone(c->ctl, c->who->account, arn);
	return number && number < image->next_version && !model_version(image, number);
}

void version_delete(struct call *c)
{
	struct image_version *v;

	/* A client that never heard the answer to its first try asks again. */
	if (version_is_gone(c)) {
		call_answer(c, json_pack("{s:s,s:s,s:s}", "imageIdentifier",
					 call_text(c, "imageIdentifier"), "imageVersion",
					 call_text(c, "imageVersion"), "state", "DELETED"));
		return;
	}
	v = call_version(c);
	if (!v)
		return;
	c->made = json_pack("{s:s,s:o,s:s}", "imageIdentifier", call_text(c, "imageIdentifier"),
			    "imageVersion", encode_version_number(v->number), "state", "DELETING");
	images_delete_version(c->ctl, v, call_done, c);
}

void build_get(struct call *c)
{
	struct image_version *v = call_version(c);
	const char *id = call_text(c, "buildId");

	if (!v)
		return;
	list_each(b, &v->builds, struct build, in_version)
	{
		if (!strcmp(b->id, id)) {
			call_answer(c, encode_build(c->ctl, b, false));
			return;
		}
	}
	call_not_found(c,
		       "MicroVMImage build not found for MicroVMImage: %s, Version: %s, Build: %s",
		       call_text(c, "imageIdentifier"), call_text(c, "imageVersion"), id);
}

/* Every build is for the kind of this host, so a filter matches all of them or none. */
static bool build_wanted(const struct call *c)
{
	static const struct {
		const char *member, *value;
	} filters[] = {
		{ "architecture", HOST_ARCHITECTURE },
		{ "chipset", HOST_CHIPSET },
		{ "chipsetGeneration", HOST_GENERATION },
	};

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		const char *wanted = call_text(c, filters[i].member);

		if (wanted && strcmp(wanted, filters[i].value) != 0)
			return false;
	}
	return true;
}

void build_list(struct call *c)
{
	struct image_version *v = call_version(c);
	struct page page;

	if (!v || !page_begin(&page, c))
		return;
	list_each_back(b, &v->builds, struct build, in_version)
	{
		if (page_takes(&page, b->id, b->created_ms) && build_wanted(c))
			page_add(&page, encode_build(c->ctl, b, true));
	}
	page_answer(&page);
}
