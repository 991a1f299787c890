#include "image/spec.h"

#include <stdlib.h>
#include <string.h>

static int spec_hook(const json_t *hooks, const char *name, struct spec_hook *to, struct err *e)
{
	json_t *hook = json_object_get(hooks, name);
	json_int_t timeout = 0;
	int enabled = 0;

	if (!hook)
		return 0;
	if (json_unpack(hook, "{s:b,s?I}", "enabled", &enabled, "timeoutMs", &timeout) ||
	    timeout < 0 || timeout > 3600000 || (enabled && !timeout))
		return err_set(e, ERR_INVALID, "the build spec's hook '%s' makes no sense", name);
	*to = (struct spec_hook){ enabled, timeout };
	return 0;
}

static int spec_members(struct spec *s, struct err *e)
{
	json_t *hooks = NULL, *environment = NULL, *warnings = NULL;
	int capabilities = 0, internet = 1;
	json_error_t why;
	json_int_t version, memory, port = 0, rebuild = 0;

	if (json_unpack_ex(
		    s->json, &why, 0, "{s:s,s:s,s:s,s:s,s:s,s:I,s:I,s?b,s?b,s?I,s?o,s?o,s?o}",
		    "bucket", &s->bucket, "key", &s->key, "name", &s->name, "imageArn", &s->arn,
		    "region", &s->region, "version", &version, "memoryMib", &memory,
		    "allCapabilities", &capabilities, "internet", &internet, "rebuildOf", &rebuild,
		    "environment", &environment, "hooks", &hooks, "warnings", &warnings))
		return err_set(e, ERR_INVALID, "the build spec makes no sense: %s", why.text);
	hooks = json_is_null(hooks) ? NULL : hooks;
	if (hooks && json_unpack_ex(hooks, &why, 0, "{s?I}", "port", &port))
		return err_set(e, ERR_INVALID, "the build spec's hooks make no sense: %s",
			       why.text);
	if (version < 1 || version > INT32_MAX || memory < 128 || memory > 65536 || port < 0 ||
	    port > 65535 || rebuild < 0 || rebuild >= version)
		return err_set(e, ERR_INVALID, "the build spec has a number out of range");
	s->file_key = json_string_value(json_object_get(s->json, "fileKey"));
	s->version = version;
	s->rebuild_of = rebuild;
	s->memory_mib = memory;
	s->hook_port = port;
	s->all_capabilities = capabilities;
	s->internet = internet;
	s->environment = json_is_object(environment) ? environment : NULL;
	s->warnings = json_is_array(warnings) ? warnings : NULL;
	if (spec_hook(hooks, "ready", &s->ready, e) ||
	    spec_hook(hooks, "validate", &s->validate, e))
		return -1;
	if ((s->ready.enabled || s->validate.enabled) && !s->hook_port)
		return err_set(e, ERR_INVALID, "the build spec has hooks but no port for them");
	return 0;
}

char *spec_text(const struct spec *s)
{
	json_auto_t *shown = json_copy(s->json);

	if (json_is_true(json_object_get(shown, "sealed")))
		json_object_del(shown, "environment");
	json_object_del(shown, "fileKey");
	return json_dumps(shown, JSON_COMPACT);
}

int spec_read(struct spec *s, const void *data, size_t size, struct err *e)
{
	json_error_t why;

	*s = (struct spec){ 0 };
	s->json = json_loadb(data, size, JSON_REJECT_DUPLICATES, &why);
	if (!s->json)
		return err_set(e, ERR_INVALID, "the build spec is no JSON: %s", why.text);
	if (!spec_members(s, e))
		return 0;
	spec_free(s);
	return -1;
}

void spec_free(struct spec *s)
{
	json_decref(s->json);
	*s = (struct spec){ 0 };
}

struct spec_shape spec_shape(int64_t class_mib, long cores)
{
	int64_t peak = class_mib / 512;
	uint32_t vcpus = peak < 1 ? 1 : (uint32_t)peak;

	if (cores >= 1 && vcpus > cores)
		vcpus = (uint32_t)cores;
	return (struct spec_shape){ vcpus, (uint32_t)(4 * class_mib),
				    class_mib > 4096   ? 32
				    : class_mib > 2048 ? 16
						       : 8 };
}
