/* image.c - CreateMicrovmImage and what follows: the service's rules beyond the table, one at a
 * time, each with its own sentence (service.md 9). */

#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "control/api/credentials.h"
#include "control/api/encode.h"
#include "control/api/handlers/handlers.h"
#include "control/api/handlers/managed.h"
#include "control/api/idempotency.h"
#include "control/api/key_use.h"
#include "control/api/page.h"
#include "control/api/resolve.h"
#include "control/images/images.h"
#include "control/model/quotas.h"
#include "control/model/sealing.h"

static const int64_t memory_classes[] = { 512, 1024, 2048, 4096, 8192 };

static const char *const runtime_hooks[] = { "run", "resume", "suspend", "terminate" };

static bool image_uri_ok(struct call *c)
{
	const char *uri =
		json_string_value(json_object_get(json_object_get(c->in, "codeArtifact"), "uri"));
	const char *bucket = uri && !strncmp(uri, "s3://", 5) ? uri + 5 : "";
	size_t size = strcspn(bucket, "/");

	if (size && size <= 63 && bucket[size] && bucket[size + 1] &&
	    strlen(bucket + size + 1) <= 1024)
		return true;
	call_invalid(c, "CodeArtifact URI must be a valid S3 URI in the format: "
			"s3://<bucket>/<key>");
	return false;
}

static bool image_memory_ok(struct call *c)
{
	const json_t *first = json_array_get(json_object_get(c->in, "resources"), 0);
	int64_t mib = json_integer_value(json_object_get(first, "minimumMemoryInMiB"));

	for (size_t i = 0; i < ARRAY_SIZE(memory_classes); i++)
		if (!first || memory_classes[i] == mib)
			return true;
	call_invalid(c,
		     "The requested memory size of %lld MiB is not supported by base MicroVM image "
		     "%s. Supported memory sizes in MiB are: [512, 1024, 2048, 4096, 8192].",
		     (long long)mib, call_text(c, "baseImageArn"));
	return false;
}

static bool hook_enabled(const json_t *group, const char *name)
{
	const char *state = json_string_value(json_object_get(group, name));

	return state && !strcmp(state, "ENABLED");
}

static bool image_hooks_ok(struct call *c)
{
	const json_t *hooks = json_object_get(c->in, "hooks");
	const json_t *of_image = json_object_get(hooks, "microvmImageHooks");
	const json_t *of_vm = json_object_get(hooks, "microvmHooks");
	bool ready = hook_enabled(of_image, "ready"), runtime = false;

	for (size_t i = 0; i < ARRAY_SIZE(runtime_hooks); i++)
		runtime |= hook_enabled(of_vm, runtime_hooks[i]);
	if (runtime && !ready) {
		call_invalid(c, "The ready (/ready) MicroVM image hook must be enabled when any "
				"MicroVM lifecycle hook (run, resume, suspend, or terminate) is "
				"enabled. The ready hook signals when the application has finished "
				"initializing so the snapshot is taken in a ready state.");
		return false;
	}
	if ((ready || runtime || hook_enabled(of_image, "validate")) &&
	    !json_object_get(hooks, "port")) {
		call_invalid(c, "The hooks port must be specified when any hook is enabled.");
		return false;
	}
	return true;
}

static bool image_environment_ok(struct call *c)
{
	if (!json_object_get(json_object_get(c->in, "environmentVariables"), "AWS_REGION"))
		return true;
	call_invalid(c, "The environment variables you have provided contain reserved keys that "
			"cannot be set. Reserved keys used in this request: AWS_REGION");
	return false;
}

/* On a host of another kind a request for ARM_64 is refused, or built for that host with a warning
 * (service.md 23). */
static bool image_cpu(struct call *c, json_t *params)
{
	json_t *list = json_object_get(params, "cpuConfigurations"), *item;
	bool foreign = false;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *wanted = json_string_value(json_object_get(item, "architecture"));

		if (wanted && strcmp(wanted, HOST_ARCHITECTURE) != 0) {
			foreign = true;
			if (strcmp(wanted, "ARM_64") != 0 || !c->ctl->conf->arm64_as_host) {
				call_invalid(c,
					     "The architecture %s cannot be built on this host, "
					     "which is %s.",
					     wanted, HOST_ARCHITECTURE);
				return false;
			}
		}
	}
	if (!foreign)
		return true;
	json_object_set_new(params, "cpuConfigurations",
			    json_pack("[{s:s}]", "architecture", HOST_ARCHITECTURE));
	json_object_set_new(params, "warnings",
			    json_pack("[s]", "ARM_64 was asked for; this host is " HOST_ARCHITECTURE
					     " and builds for itself."));
	return true;
}

static void image_default(json_t *params, const char *name, json_t *value)
{
	if (json_array_size(json_object_get(params, name)))
		json_decref(value);
	else
		json_object_set_new(params, name, value);
}

/* Returns the request with its defaults, as a version keeps it, or NULL if the call has failed. */
static json_t *image_params(struct call *c)
{
	const char *base =
		managed_base(c, call_text(c, "baseImageArn"), call_text(c, "baseImageVersion"));
	struct kms_key *key;
	json_t *params;

	if (!base || !key_use_for_image(c, &key) || !credentials_role_ok(c, "buildRoleArn") ||
	    !image_uri_ok(c) || !image_memory_ok(c) ||
	    !managed_connectors_ok(c, json_object_get(c->in, "egressNetworkConnectors"), EGRESS) ||
	    !image_hooks_ok(c) || !image_environment_ok(c))
		return NULL;
	params = json_copy(c->in);
	if (!image_cpu(c, params)) {
		json_decref(params);
		return NULL;
	}
	json_object_del(params, "name");
	json_object_del(params, "tags");
	json_object_del(params, "clientToken");
	json_object_del(params, "imageIdentifier");
	json_object_set_new(params, "baseImageVersion", json_string(base));
	members_ask(params, key);
	image_default(params, "resources", json_pack("[{s:i}]", "minimumMemoryInMiB", 2048));
	image_default(params, "egressNetworkConnectors",
		      managed_connector(c->ctl, "INTERNET_EGRESS"));
	return params;
}

static bool image_alive(struct control *ctl, const json_t *answer)
{
	const char *id = json_string_value(json_object_get(answer, "id"));

	return id && model_image_by_id(ctl, id);
}

static struct store_txn *image_created(void *arg, const struct image *image,
				       const struct image_version *v)
{
	struct call *c = arg;

	c->made = encode_image_made(c->ctl, image, v, true);
	return replay_txn(c);
}

void image_create(struct call *c)
{
	const char *name = call_text(c, "name");
	json_t *params, *tags;

	if (replay_begin(c, image_alive))
		return;
	params = image_params(c);
	if (!params)
		return;
	if (images_name_taken(c->ctl, c->who->account, name)) {
		json_decref(params);
		call_invalid(c, "A MicroVM image with the name '%s' already exists in this account",
			     name);
		return;
	}
	if ((int64_t)images_count(c->ctl, c->who->account) >=
	    quota_in(c->ctl, c->who->account, QUOTA_IMAGES)) {
		json_decref(params);
		call_fail_as(c, 402, "ServiceQuotaExceededException",
			     "The maximum number of MicroVM images has been reached for this "
			     "account.");
		return;
	}
	tags = json_object_get(c->in, "tags");
	images_create(c->ctl, c->who->account, name, tags ? json_deep_copy(tags) : NULL, params,
		      &(struct images_asker){ image_created, call_done, c });
}

static struct store_txn *image_updated(void *arg, const struct image *image,
				       const struct image_version *v)
{
	struct call *c = arg;

	c->made = encode_image_made(c->ctl, image, v, false);
	return replay_txn(c);
}

/* Makes the next version of @params (taken over), and ends the call. */
static void image_make_next(struct call *c, struct image *image, enum image_event event,
			    json_t *params)
{
	images_update(c->ctl, image, event, params,
		      &(struct images_asker){ image_updated, call_done, c });
}

void image_update(struct call *c)
{
	struct image *image;
	json_t *params;

	if (replay_begin(c, image_alive))
		return;
	image = call_image(c, "imageIdentifier");
	params = image ? image_params(c) : NULL;
	if (!params)
		return;
	image_make_next(c, image, IMAGE_EV_UPDATE, params);
}

/* Returns the version whose disk is used: the named one, or else the newest that was made.  NULL if
 * the call has failed. */
static struct image_version *image_disk_of(struct call *c, struct image *image)
{
	const char *number = call_text(c, "imageVersion");
	struct image_version *v =
		number ? model_version(image, version_number(number)) : images_newest_made(image);

	if (!v && number) {
		call_not_found(c, "MicroVMImage not found for MicroVMImage: %s, Version: %s",
			       call_text(c, "imageIdentifier"), number);
	} else if (!v || v->state != VERSION_SUCCESSFUL) {
		autofree char *text =
			xasprintf("Only the disk of a SUCCESSFUL version can be used; %s of image "
				  "%s is: update the image from its artifact.",
				  v ? "this one" : "none", image->name);

		call_fail_as(c, 409, "ConflictException", text);
		v = NULL;
	}
	return v;
}

/* This operation is ours: an update with the parameters and the disk of an earlier version. */
void image_rebuild(struct call *c)
{
	struct image_version *of;
	struct image *image;
	json_t *params;
	struct err e;

	if (replay_begin(c, image_alive))
		return;
	image = find_image_any(c->ctl, c->who->account, call_text(c, "imageIdentifier"));
	if (!image) {
		call_not_found(c, "There is no image %s.", call_text(c, "imageIdentifier"));
		return;
	}
	of = image_disk_of(c, image);
	if (!of)
		return;
	params = sealing_version_params(c->ctl, of, &e);
	if (!params) {
		err_wrap(&e, "the environment variables of version %lld.0 cannot be opened",
			 (long long)of->number);
		call_fail(c, &e);
		return;
	}
	json_object_set_new(params, "rebuildOf", json_integer(of->number));
	image_make_next(c, image, IMAGE_EV_REBUILD, params);
}

void image_get(struct call *c)
{
	struct image *image = call_image(c, "imageIdentifier");
	struct image_version *newest;
	json_t *answer;

	if (!image)
		return;
	answer = encode_image(c->ctl, image, false);
	/* The service shows the reason with the build alone; people look for it here. */
	newest = list_empty(&image->versions)
			 ? NULL
			 : container_of(image->versions.prev, struct image_version, in_image);
	if (newest && images_failed(image))
		json_object_set_new(answer, "stateReason", encode_text(newest->reason));
	call_answer(c, answer);
}

void image_list(struct call *c)
{
	const char *filter = call_text(c, "nameFilter");
	struct page page;

	if (!page_begin(&page, c))
		return;
	page_each(n, &page, &c->ctl->images_in_order, c->who->account)
	{
		const struct image *image = container_of(n, struct image, in_order);

		if (page_takes(&page, n->id, n->at) && (!filter || strstr(image->name, filter)))
			page_add(&page, encode_image(c->ctl, image, true));
	}
	page_answer(&page);
}

void image_delete(struct call *c)
{
	const char *arn = call_text(c, "imageIdentifier");
	struct image *image;

	/* A client that never heard the answer to its first try asks again. */
	if (image_is_gone(c->ctl, c->who->account, arn)) {
		call_answer(c, json_pack("{s:s,s:s}", "imageIdentifier", arn, "state", "DELETED"));
		return;
	}
	image = call_image(c, "imageIdentifier");
	if (!image)
		return;
	c->made = json_pack("{s:s,s:s}", "imageIdentifier", call_text(c, "imageIdentifier"),
			    "state", "DELETING");
	images_delete(c->ctl, image, call_done, c);
}
