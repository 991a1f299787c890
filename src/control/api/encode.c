/* encode.c - see encode.h. */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/host.h"
#include "control/api/encode.h"
#include "control/model/sealing.h"

/* These parameters of a version are shown as they were given. */
static const char *const version_params[] = {
	"baseImageArn",
	"baseImageVersion",
	"buildRoleArn",
	"description",
	"codeArtifact",
	"logging",
	"egressNetworkConnectors",
	"cpuConfigurations",
	"resources",
	"additionalOsCapabilities",
	"hooks",
	"environmentVariables",
	"kmsKeyIdentifier",
};
static const char *const microvm_params[] = {
	"executionRoleArn",         "idlePolicy",
	"maximumDurationInSeconds", "ingressNetworkConnectors",
	"egressNetworkConnectors",  "kmsKeyIdentifier",
};

json_t *encode_time(int64_t ms)
{
	return ms ? json_real((double)ms / 1000.0) : json_null();
}

json_t *encode_text(const char *text)
{
	return text ? json_string(text) : json_null();
}

json_t *encode_version_number(int64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld.0", (long long)n);
	return n ? json_string(text) : json_null();
}

static json_t *encode_arn(const struct control *ctl, const struct image *image)
{
	autofree char *arn = model_image_arn(ctl, image);

	return json_string(arn);
}

static void put(json_t *to, const char *name, json_t *value)
{
	json_object_set_new(to, name, value);
}

/* A member that nobody set is null, but the service leaves out a key that it owns itself. */
static void put_params(json_t *to, const json_t *params, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		json_t *value = json_object_get(params, names[i]);

		if (value || strcmp(names[i], "kmsKeyIdentifier") != 0)
			put(to, names[i], value ? json_incref(value) : json_null());
	}
}

/* What is sealed, and cannot be opened now, is null. */
static void put_version_params(json_t *to, const struct control *ctl, const struct image_version *v)
{
	struct err e;
	json_t *params = sealing_version_params(ctl, v, &e);

	put_params(to, params ? params : v->params, version_params, ARRAY_SIZE(version_params));
	json_decref(params);
}

static json_t *encode_tags(const json_t *tags)
{
	return json_object_size(tags) ? json_deep_copy(tags) : json_null();
}

json_t *encode_image(const struct control *ctl, const struct image *image, bool summary)
{
	json_t *o = json_object();

	put(o, "id", json_string(image->id));
	put(o, "imageArn", encode_arn(ctl, image));
	put(o, "name", json_string(image->name));
	put(o, "state", json_string(image_state_name[image->state]));
	put(o, "latestActiveImageVersion", encode_version_number(image->latest_active));
	put(o, "latestFailedImageVersion", encode_version_number(image->latest_failed));
	put(o, "createdAt", encode_time(image->created_ms));
	if (!summary) {
		put(o, "updatedAt", encode_time(image->updated_ms));
		put(o, "tags", image->tags ? json_deep_copy(image->tags) : json_object());
	}
	return o;
}

json_t *encode_image_made(const struct control *ctl, const struct image *image,
			  const struct image_version *v, bool created)
{
	json_t *o = encode_image(ctl, image, true);

	put(o, "updatedAt", encode_time(image->updated_ms));
	put(o, "imageVersion", encode_version_number(v->number));
	put_version_params(o, ctl, v);
	put(o, "buildPhaseOverrides", json_null());
	put(o, "roleConfiguration", json_null());
	if (created)
		put(o, "tags", encode_tags(image->tags));
	return o;
}

json_t *encode_version(const struct control *ctl, const struct image_version *v)
{
	json_t *o = json_object();
	time_t at = (time_t)(v->created_ms / 1000);
	char hour[16] = "", bucket[64];
	struct tm tm;

	if (!gmtime_r(&at, &tm) || !strftime(hour, sizeof(hour), "%Y%m%d%H", &tm))
		strcpy(hour, "0000000000");
	snprintf(bucket, sizeof(bucket), "%s#%s", version_state_name[v->state],
		 hour + 2); /* the year has two digits there */
	put(o, "imageArn", encode_arn(ctl, v->image));
	put(o, "imageVersion", encode_version_number(v->number));
	put(o, "state", json_string(version_state_name[v->state]));
	put(o, "status", json_string(version_status_name[v->status]));
	put(o, "stateReason", encode_text(v->reason));
	put(o, "createdAt", encode_time(v->created_ms));
	put(o, "updatedAt", encode_time(v->updated_ms));
	put_version_params(o, ctl, v);
	put(o, "tags", encode_tags(v->image->tags));
	put(o, "versionStateTimeBucket", json_string(bucket));
	return o;
}

/* A build shows the sizes of what it has made, and null if it made nothing. */
static json_t *encode_snapshot(const struct build *b)
{
	json_t *o;

	if (!b->memory_bytes && !b->code_bytes && !b->disk_bytes)
		return json_null();
	o = json_object();
	if (b->memory_bytes)
		put(o, "memorySnapshotSizeInBytes", json_integer(b->memory_bytes));
	if (b->code_bytes)
		put(o, "codeInstallSizeInBytes", json_integer(b->code_bytes));
	if (b->memory_bytes)
		put(o, "diskSnapshotSizeInBytes", json_integer(b->disk_bytes));
	return o;
}

json_t *encode_build(const struct control *ctl, const struct build *b, bool summary)
{
	json_t *o = json_object();

	put(o, "imageArn", encode_arn(ctl, b->version->image));
	put(o, "imageVersion", encode_version_number(b->version->number));
	put(o, "buildId", json_string(b->id));
	put(o, "buildState", json_string(build_state_name[b->state]));
	put(o, "architecture", json_string(HOST_ARCHITECTURE));
	put(o, "chipset", json_string(HOST_CHIPSET));
	put(o, "chipsetGeneration", json_string(HOST_GENERATION));
	put(o, "stateReason", encode_text(b->reason));
	put(o, "terminationReasonCode", encode_text(b->code));
	put(o, "createdAt", encode_time(b->created_ms));
	if (!summary)
		put(o, "snapshotBuild", encode_snapshot(b));
	return o;
}

json_t *encode_published(const struct published *p)
{
	json_t *o = json_object();

	put(o, "publishedPort", json_integer(p->port));
	put(o, "microvmId", json_string(p->vm->id));
	put(o, "port", json_integer(p->target));
	put(o, "protocol", json_string(p->datagrams ? "udp" : "tcp"));
	put(o, "listen", json_string(p->listen));
	put(o, "from", json_deep_copy(p->from));
	put(o, "publishedAt", encode_time(p->created_ms));
	put(o, "problem", encode_text(p->problem));
	return o;
}

/* Ours, and therefore absent where there are none. */
static void put_published(json_t *to, const struct control *ctl, const struct microvm *vm)
{
	json_t *list = json_array();

	hash_each(p, &ctl->published, struct published, by_port)
	{
		if (published_is_of(p, vm))
			json_array_append_new(list, encode_published(p));
	}
	if (json_array_size(list))
		put(to, "dozePublished", json_incref(list));
	json_decref(list);
}

json_t *encode_microvm_item(const struct control *ctl, const struct microvm *vm)
{
	autofree char *arn = model_arn_of(ctl, vm->account, vm->origin.name);
	json_t *o = json_object();

	put(o, "microvmId", json_string(vm->id));
	put(o, "state", json_string(vm_state_name[vm->state]));
	put(o, "imageArn", json_string(arn));
	put(o, "imageVersion", encode_version_number(vm->origin.number));
	put(o, "startedAt", encode_time(vm->started_ms));
	return o;
}

json_t *encode_microvm(const struct control *ctl, const struct microvm *vm)
{
	json_t *o = encode_microvm_item(ctl, vm);
	autofree char *endpoint = xasprintf("%s%s", vm->endpoint, ctl->endpoint_suffix);
	json_auto_t *params = model_params(vm);

	put(o, "endpoint", json_string(endpoint));
	put(o, "terminatedAt", encode_time(vm->terminated_ms));
	put(o, "stateReason", encode_text(vm->reason));
	put(o, "terminationReasonCode", json_null());
	put_params(o, params, microvm_params, ARRAY_SIZE(microvm_params));
	put_published(o, ctl, vm);
	return o;
}
