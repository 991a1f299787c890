#include "control/microvm/metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/stamp.h"
#include "control/machine/machine.h"
#include "wire/agent.h"

/* The service has one role in each microVM, of this name (service.md 12). */
#define METADATA_ROLE "meta-data/iam/security-credentials/execution_role"

static void metadata_pair(struct buf *b, const char *path, const char *text)
{
	agent_put_text(b, FIELD_NAME, path);
	agent_put_text(b, FIELD_BYTES, text);
}

/* A key with a slash in it would be a folder. */
static bool metadata_tag_ok(const char *key, const char *value, size_t *size)
{
	*size += strlen(key) + strlen(value) + 64;
	return !strchr(key, '/') && *size <= METADATA_TAGS_MAX;
}

static void metadata_tags(struct buf *b, json_t *tags)
{
	const char *key;
	size_t size = 0;
	json_t *value;

	json_object_foreach(tags, key, value)
	{
		const char *text = json_string_value(value);
		autofree char *path = xasprintf("meta-data/tags/instance/%s", key);

		if (text && metadata_tag_ok(key, text, &size))
			metadata_pair(b, path, text);
	}
}

static char *metadata_document(const struct microvm *vm, const char *zone)
{
	autofree char *arn = model_image_arn(vm->ctl, vm->version->image);
	char began[STAMP_SIZE], type[32];
	struct utsname host = { 0 };
	json_t *all;
	char *text;

	uname(&host);
	stamp_text(vm->started_ms, began);
	snprintf(type, sizeof(type), "microvm.%lld", (long long)vm->version->memory_mib);
	all = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "accountId", vm->account,
			"architecture", host.machine, "availabilityZone", zone, "imageId", arn,
			"instanceId", vm->id, "instanceType", type, "pendingTime", began,
			"privateIp", SLOT_GUEST_IP, "region", vm->ctl->conf->region, "version",
			"2017-09-30");
	text = json_dumps(all, JSON_INDENT(2));
	json_decref(all);
	return text;
}

void metadata_frame(struct buf *b, const struct microvm *vm, const char *credentials,
		    const struct buf *more)
{
	const char *region = vm->ctl->conf->region;
	autofree char *zone = xasprintf("%sa", region);
	autofree char *document = metadata_document(vm, zone);
	size_t mark = agent_begin(b, AGENT_METADATA);

	if (credentials)
		metadata_pair(b, METADATA_ROLE, credentials);
	metadata_pair(b, "meta-data/instance-id", vm->id);
	metadata_pair(b, "meta-data/placement/availability-zone", zone);
	metadata_pair(b, "meta-data/placement/region", region);
	metadata_tags(b, vm->version->image->tags);
	metadata_pair(b, "dynamic/instance-identity/document", document);
	if (more)
		buf_add(b, more->data, more->size);
	agent_end(b, mark);
}

void metadata_push(const struct microvm *vm, const char *credentials, const struct buf *more)
{
	autobuf struct buf b = { .secret = true };

	metadata_frame(&b, vm, credentials, more);
	machine_tell(vm->machine, &b);
}
