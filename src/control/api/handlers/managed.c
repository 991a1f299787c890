/* managed.c - one base image with two versions (service.md 9.7), five connectors (2.11). */

#include <string.h>

#include "base/host.h"
#include "control/api/encode.h"
#include "control/api/handlers/handlers.h"
#include "control/api/handlers/managed.h"
#include "control/api/page.h"
#include "control/api/resolve.h"
#include "control/connectors/connectors.h"

#define BASE_NAME "al2023-1"

/* Newest first, as the service lists them. */
static const struct {
	const char *number, *readback;
	int64_t created_ms;
} base_versions[] = {
	{ "1", "1.0", INT64_C(1784592000000) }, /* 2026-07-21 */
	{ "0", "0.0", INT64_C(1781654400000) }, /* 2026-06-17 */
};

static const struct {
	const char *name;
	enum direction direction;
} connectors[] = {
	{ "HTTP_INGRESS", INGRESS }, { "SHELL_INGRESS", INGRESS },  { "ALL_INGRESS", INGRESS },
	{ "NO_INGRESS", INGRESS },   { "INTERNET_EGRESS", EGRESS },
};

static bool managed_is_base(const char *arn)
{
	const char *name;

	return arn_managed_image(arn, &name) && !strcmp(name, BASE_NAME);
}

const char *managed_base(struct call *c, const char *arn, const char *version)
{
	if (managed_is_base(arn)) {
		if (!version)
			return base_versions[0].readback;
		for (size_t i = 0; i < ARRAY_SIZE(base_versions); i++)
			if (!strcmp(base_versions[i].number, version))
				return base_versions[i].readback;
	} else if (strncmp(arn, "arn:", 4) != 0) {
		call_invalid(c, "Invalid ARN format: %s", arn);
		return NULL;
	}
	if (version)
		call_invalid(c, "No managed MicroVM Image with arn %s and version %s is available",
			     arn, version);
	else
		call_invalid(c, "No managed MicroVM Image with arn %s is available", arn);
	return NULL;
}

static bool connector_known(const char *name, enum direction direction)
{
	for (size_t i = 0; i < ARRAY_SIZE(connectors); i++)
		if (connectors[i].direction == direction && !strcmp(connectors[i].name, name))
			return true;
	return false;
}

/* A connector of the account: it leads out, is for microVMs, and must be ACTIVE. */
static bool connector_usable(struct call *c, const char *arn, enum direction direction)
{
	struct connector_version *v;
	struct connector *connector = model_connector_of_arn(c->ctl, c->who->account, arn, &v);
	const json_t *vpc, *types;
	struct err e;

	if (!connector) {
		call_not_found(c, "Network connector not found for: %s", arn);
		return false;
	}
	vpc = json_object_get(json_object_get(v->params, "Configuration"),
			      "VpcEgressConfiguration");
	types = json_object_get(vpc, "AssociatedComputeResourceTypes");
	if (direction != EGRESS || strcmp(json_string_value(json_array_get(types, 0)), "MicroVm")) {
		call_invalid(c, "Network connector %s cannot be used as %s of a MicroVM.", arn,
			     direction == EGRESS ? "egress" : "ingress");
		return false;
	}
	if (!connectors_use(c->ctl, connector, v, &e))
		return true;
	call_invalid(c, "%s", e.text);
	return false;
}

bool managed_connectors_ok(struct call *c, const json_t *list, enum direction direction)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *arn = json_string_value(item), *name;

		if (!arn_managed_connector(arn, &name)) {
			call_invalid(c, "Malformed network connector ARN: %s", arn);
			return false;
		}
		if (!name) {
			if (!connector_usable(c, arn, direction))
				return false;
			continue;
		}
		if (!connector_known(name, direction)) {
			call_invalid(c, "Unrecognized managed network connector ARN: %s", arn);
			return false;
		}
	}
	return true;
}

json_t *managed_connector(const struct control *ctl, const char *name)
{
	autofree char *arn = xasprintf("arn:aws:lambda:%s:aws:network-connector:"
				       "aws-network-connector:%s",
				       ctl->conf->region, name);

	return json_pack("[s]", arn);
}

void managed_list(struct call *c)
{
	autofree char *arn =
		xasprintf("arn:aws:lambda:%s:aws:microvm-image:" BASE_NAME, c->ctl->conf->region);
	struct page page;

	if (!page_begin(&page, c))
		return;
	if (page_takes(&page, BASE_NAME, base_versions[1].created_ms))
		page_add(&page, json_pack("{s:s,s:o,s:o}", "imageArn", arn, "createdAt",
					  encode_time(base_versions[1].created_ms), "updatedAt",
					  encode_time(base_versions[0].created_ms)));
	page_answer(&page);
}

void managed_list_versions(struct call *c)
{
	const char *arn = call_text(c, "imageIdentifier");
	struct page page;

	if (!managed_is_base(arn)) {
		if (strncmp(arn, "arn:", 4) != 0)
			call_invalid(c, "Invalid ARN format: %s", arn);
		else
			call_not_found(c, "MicroVMImage not found for MicroVMImageID: %s", arn);
		return;
	}
	if (!page_begin(&page, c))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(base_versions); i++)
		if (page_takes(&page, base_versions[i].number, base_versions[i].created_ms))
			page_add(&page,
				 json_pack("{s:s,s:s,s:s,s:[{s:s}],s:o,s:o}", "imageArn", arn,
					   "imageVersion", base_versions[i].number, "status",
					   "AVAILABLE", "supportedCpuConfigurations",
					   "architecture", HOST_ARCHITECTURE, "createdAt",
					   encode_time(base_versions[i].created_ms), "updatedAt",
					   encode_time(base_versions[i].created_ms)));
	page_answer(&page);
}
