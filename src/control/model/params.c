/* params.c - what a row's JSON means: the request as it was checked, with its defaults. */

#include <string.h>

#include "conf/conf.h"
#include "control/kms/members.h"
#include "control/model/model.h"

/* Where params names each hook, and how long a hook may take that names no time. */
static const struct {
	const char *group, *state, *timeout;
	size_t fallback; /* of a int64_t in struct conf, seconds */
} params_hooks[NUM_HOOKS] = {
	[HOOK_READY] = { "microvmImageHooks", "ready", "readyTimeoutInSeconds",
			 offsetof(struct conf, ready_timeout_s) },
	[HOOK_VALIDATE] = { "microvmImageHooks", "validate", "validateTimeoutInSeconds",
			    offsetof(struct conf, validate_timeout_s) },
	[HOOK_RUN] = { "microvmHooks", "run", "runTimeoutInSeconds",
		       offsetof(struct conf, hook_timeout_s) },
	[HOOK_RESUME] = { "microvmHooks", "resume", "resumeTimeoutInSeconds",
			  offsetof(struct conf, hook_timeout_s) },
	[HOOK_SUSPEND] = { "microvmHooks", "suspend", "suspendTimeoutInSeconds",
			   offsetof(struct conf, hook_timeout_s) },
	[HOOK_TERMINATE] = { "microvmHooks", "terminate", "terminateTimeoutInSeconds",
			     offsetof(struct conf, hook_timeout_s) },
};

void model_read_version_params(const struct conf *conf, struct image_version *v)
{
	const json_t *hooks = json_object_get(v->params, "hooks");
	const json_t *first = json_array_get(json_object_get(v->params, "resources"), 0);

	v->memory_mib = json_integer_value(json_object_get(first, "minimumMemoryInMiB"));
	v->hooks.port = (uint16_t)json_integer_value(json_object_get(hooks, "port"));
	for (size_t i = 0; i < NUM_HOOKS; i++) {
		const json_t *group = json_object_get(hooks, params_hooks[i].group);
		const char *state =
			json_string_value(json_object_get(group, params_hooks[i].state));
		const json_t *seconds = json_object_get(group, params_hooks[i].timeout);
		int64_t fallback;

		memcpy(&fallback, (const char *)conf + params_hooks[i].fallback, sizeof(fallback));
		v->hooks.each[i].enabled = state && !strcmp(state, "ENABLED");
		v->hooks.each[i].timeout_ms =
			1000 * (json_is_integer(seconds) ? json_integer_value(seconds) : fallback);
	}
}

static bool params_have_connector(const json_t *list, const char *name)
{
	const char *arn, *tail;
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item)
	{
		arn = json_string_value(item);
		tail = arn ? strrchr(arn, ':') : NULL;
		if (tail && !strcmp(tail + 1, name))
			return true;
	}
	return false;
}

/* An account's connector leads where INTERNET_EGRESS does: there are no networks behind it. */
static bool params_have_own_connector(const json_t *list)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item)
	{
		if (json_is_string(item) &&
		    !strstr(json_string_value(item), ":aws:network-connector:"))
			return true;
	}
	return false;
}

static int64_t params_seconds(const json_t *object, const char *name, int64_t fallback_ms)
{
	const json_t *value = json_object_get(object, name);

	return json_is_integer(value) ? json_integer_value(value) * 1000 : fallback_ms;
}

/* Among the parameters, but none that the API knows (api/encode.c). */
#define MODEL_DRAINED "dozeDrained"
#define MODEL_IMAGE   "dozeImageName"
#define MODEL_AWAKE   "dozeAwake"

json_t *model_params(const struct microvm *vm)
{
	return json_loads(vm->params, 0, NULL);
}

/* @value is taken over; NULL: the member goes. */
static void params_set(struct microvm *vm, const char *name, json_t *value)
{
	json_auto_t *params = model_params(vm);

	if (value)
		json_object_set_new(params, name, value);
	else
		json_object_del(params, name);
	free(vm->params);
	vm->params = json_dumps(params, JSON_COMPACT);
}

void model_keep_without_version(struct microvm *vm)
{
	params_set(vm, MODEL_IMAGE, json_string(vm->origin.name));
}

const char *model_kept_name(const json_t *params)
{
	return json_string_value(json_object_get(params, MODEL_IMAGE));
}

void model_set_drained(struct microvm *vm, bool drained)
{
	if (vm->drained == drained)
		return;
	vm->drained = drained;
	params_set(vm, MODEL_DRAINED, drained ? json_true() : NULL);
}

json_t *model_take_awake(struct microvm *vm)
{
	json_auto_t *params = model_params(vm);
	json_t *before = json_incref(json_object_get(params, MODEL_AWAKE));

	params_set(vm, MODEL_AWAKE, NULL);
	return before;
}

void model_put_awake(struct microvm *vm, json_t *words)
{
	params_set(vm, MODEL_AWAKE, words);
}

json_t *model_awake_words(const struct awake *a)
{
	return json_pack("{sI sb}", "cpuPercent", (json_int_t)a->cpu_percent, "lease",
			 (int)a->lease);
}

static void params_read_awake(const struct conf *conf, struct microvm *vm, const json_t *params)
{
	const json_t *own = json_object_get(params, MODEL_AWAKE);

	vm->awake.most_ms = conf->awake_s * 1000;
	vm->awake.signs = awake_of_image(conf->awake, vm->origin.name ? vm->origin.name : "");
	if (json_is_object(own))
		vm->awake.signs = (struct awake){
			.cpu_percent =
				(uint32_t)json_integer_value(json_object_get(own, "cpuPercent")),
			.lease = json_is_true(json_object_get(own, "lease")),
		};
}

void model_read_awake(const struct conf *conf, struct microvm *vm)
{
	json_auto_t *params = model_params(vm);

	params_read_awake(conf, vm, params);
}

void model_read_microvm_params(const struct conf *conf, struct microvm *vm)
{
	json_auto_t *params = model_params(vm);
	const json_t *idle = json_object_get(params, "idlePolicy");
	const json_t *in = json_object_get(params, "ingressNetworkConnectors");
	const json_t *out = json_object_get(params, "egressNetworkConnectors");

	if (json_is_object(idle))
		vm->idle = (struct idle_policy){
			.given = true,
			.max_idle_ms = params_seconds(idle, "maxIdleDurationSeconds", 0),
			.suspended_ms = params_seconds(idle, "suspendedDurationSeconds", 0),
			.auto_resume = json_is_true(json_object_get(idle, "autoResumeEnabled")),
		};
	params_read_awake(conf, vm, params);
	vm->kms = members_key(vm->ctl, params);
	vm->drained = json_is_true(json_object_get(params, MODEL_DRAINED));
	vm->max_duration_ms =
		params_seconds(params, "maximumDurationInSeconds", conf->max_duration_s * 1000);
	vm->http_ingress = !json_array_size(in) || params_have_connector(in, "HTTP_INGRESS") ||
			   params_have_connector(in, "ALL_INGRESS");
	vm->mixed_ingress = json_array_size(in) > 1 && params_have_connector(in, "ALL_INGRESS");
	vm->shell_ingress = !vm->mixed_ingress && params_have_connector(in, "SHELL_INGRESS");
	vm->internet = !json_array_size(out) || params_have_connector(out, "INTERNET_EGRESS") ||
		       params_have_own_connector(out);
}
