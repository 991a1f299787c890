#include "control/images/build_spec.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/hex.h"
#include "base/host.h"
#include "base/io.h"
#include "control/kms/files.h"

static json_t *build_spec_hooks(const struct hooks *hooks)
{
	json_t *o = json_pack("{s:i}", "port", (int)hooks->port);

	for (size_t i = 0; i < NUM_HOOKS; i++)
		json_object_set_new(o, hook_name[i],
				    json_pack("{s:b,s:I}", "enabled", (int)hooks->each[i].enabled,
					      "timeoutMs", (json_int_t)hooks->each[i].timeout_ms));
	return o;
}

/* Where the key of files cannot be had, the image role is told so and makes none. */
static void build_spec_seal(const struct control *ctl, const struct image_version *v, json_t *spec)
{
	uint8_t key[FSCRYPT_KEY_BYTES];
	char digits[2 * FSCRYPT_KEY_BYTES + 1] = "";
	struct err e;

	json_object_set_new(spec, "sealed", json_true());
	if (!kms_files_wanted(ctl))
		return;
	if (!kms_file_key(ctl, v->kms, key, &e))
		hex_encode(key, sizeof(key), digits);
	json_object_set_new(spec, "fileKey", json_string(digits));
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(digits, sizeof(digits));
}

static json_t *build_spec(const struct control *ctl, const struct image_version *v,
			  const json_t *params)
{
	const char *uri =
		json_string_value(json_object_get(json_object_get(params, "codeArtifact"), "uri"));
	const char *bucket = uri ? uri + strlen("s3://") : "", *key = strchr(bucket, '/');
	const json_t *environment = json_object_get(params, "environmentVariables");
	const json_t *warnings = json_object_get(params, "warnings");
	const json_t *capabilities = json_object_get(params, "additionalOsCapabilities");
	json_t *rebuild = json_object_get(params, "rebuildOf"), *spec;
	autofree char *arn = model_image_arn(ctl, v->image);

	spec = json_pack("{s:s%,s:s,s:s,s:s,s:I,s:s,s:o,s:b,s:I,s:b,s:s,s:o,s:o}", "bucket", bucket,
			 key ? (size_t)(key - bucket) : strlen(bucket), "key", key ? key + 1 : "",
			 "name", v->image->name, "imageArn", arn, "version", (json_int_t)v->number,
			 "region", ctl->conf->region, "environment",
			 environment ? json_deep_copy(environment) : json_object(),
			 "allCapabilities", (int)(json_array_size(capabilities) > 0), "memoryMib",
			 (json_int_t)v->memory_mib, "internet", 1, "architecture",
			 HOST_ARCHITECTURE, "warnings",
			 warnings ? json_deep_copy(warnings) : json_array(), "hooks",
			 build_spec_hooks(&v->hooks));
	if (v->kms)
		build_spec_seal(ctl, v, spec);
	if (rebuild)
		json_object_set(spec, "rebuildOf", rebuild);
	return spec;
}

int build_spec_fd(const struct control *ctl, const struct image_version *v, const json_t *params)
{
	json_t *spec = build_spec(ctl, v, params);
	autofree char *text = spec ? json_dumps(spec, JSON_COMPACT) : NULL;
	autoclose int fd = memfd_create("build-spec", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	json_decref(spec);
	if (fd < 0 || !text || io_pwrite_full(fd, text, strlen(text), 0))
		return -1;
	return fd_steal(&fd);
}
