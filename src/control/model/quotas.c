#include "control/model/quotas.h"

#include <string.h>

#include "control/control.h"

#define QUOTA_PARAM "quotas" /* in the params of an account's row */

/* clang-format off */
#define SETTING(member) offsetof(struct conf, member)
const struct quota_row quota_rows[QUOTA_NUM] = {
	[QUOTA_MEMORY] = { "memory-mib", "baseline memory of the microVMs that are not TERMINATED, in MiB", NULL, SETTING(max_memory_mib), 0, 1073741824 },
	[QUOTA_MICROVMS] = { "microvms", "microVMs that are not TERMINATED", NULL, SETTING(max_microvms), 0, 16000 },
	[QUOTA_IMAGES] = { "images", "images", NULL, SETTING(max_images), 0, 100000 },
	[QUOTA_VERSIONS] = { "versions", "versions of an image", NULL, SETTING(max_versions), 0, 100000 },
	[QUOTA_BUILDS] = { "builds", "builds that have not ended", NULL, SETTING(max_builds), 5, 100000 },
	[QUOTA_CONNECTORS] = { "connectors", "network connectors", NULL, SETTING(max_connectors), 0, 100000 },
	[QUOTA_CONNECTOR_VERSIONS] = { "connector-versions", "versions of a network connector", NULL, SETTING(max_connector_versions), 0, 100000 },
	[QUOTA_RUN_RATE] = { "run-rate", "RunMicrovm a second", "RunMicrovm", SETTING(run_rate), 5, 100000 },
	[QUOTA_RESUME_RATE] = { "resume-rate", "ResumeMicrovm a second", "ResumeMicrovm", SETTING(resume_rate), 5, 100000 },
	[QUOTA_SUSPEND_RATE] = { "suspend-rate", "SuspendMicrovm a second", "SuspendMicrovm", SETTING(suspend_rate), 2, 100000 },
	[QUOTA_TERMINATE_RATE] = { "terminate-rate", "TerminateMicrovm a second", "TerminateMicrovm", SETTING(terminate_rate), 10, 100000 },
	[QUOTA_GET_RATE] = { "get-rate", "GetMicrovm a second", "GetMicrovm", SETTING(get_rate), 100, 100000 },
	[QUOTA_AUTH_TOKEN_RATE] = { "auth-token-rate", "CreateMicrovmAuthToken a second", "CreateMicrovmAuthToken", SETTING(auth_token_rate), 50, 100000 },
	[QUOTA_SHELL_TOKEN_RATE] = { "shell-token-rate", "CreateMicrovmShellAuthToken a second", "CreateMicrovmShellAuthToken", SETTING(shell_token_rate), 5, 100000 },
};
/* clang-format on */
static_assert(QUOTA_NUM <= ACCOUNT_QUOTAS, "an account has a time for each");

enum quota_kind quota_named(const char *name)
{
	enum quota_kind kind = 0;

	while (kind < QUOTA_NUM && strcmp(quota_rows[kind].name, name) != 0)
		kind++;
	return kind;
}

enum quota_kind quota_of_op(const char *op)
{
	enum quota_kind kind = 0;

	while (kind < QUOTA_NUM && (!quota_rows[kind].op || strcmp(quota_rows[kind].op, op) != 0))
		kind++;
	return kind;
}

static int64_t quota_own(const struct account *a, enum quota_kind kind)
{
	const json_t *own = a ? json_object_get(a->params, QUOTA_PARAM) : NULL;

	return json_integer_value(json_object_get(own, quota_rows[kind].name));
}

bool quota_is_own(const struct account *a, enum quota_kind kind)
{
	return quota_own(a, kind) > 0;
}

int64_t quota_of(const struct conf *conf, const struct account *a, enum quota_kind kind)
{
	const struct quota_row *row = &quota_rows[kind];
	int64_t own = quota_own(a, kind), configured;

	memcpy(&configured, (const char *)conf + row->setting, sizeof(configured));
	if (own > 0)
		return own;
	if (configured)
		return configured;
	return row->aws && !strcmp(conf->limits_preset, "aws") ? row->aws : INT64_MAX;
}

int64_t quota_in(const struct control *ctl, const char *account, enum quota_kind kind)
{
	return quota_of(ctl->conf, account_find(ctl, account), kind);
}

json_t *quota_changed(const struct account *a, enum quota_kind kind, int64_t value)
{
	json_t *params = a->params ? json_deep_copy(a->params) : json_object();
	json_t *own = json_object_get(params, QUOTA_PARAM);

	if (!own) {
		own = json_object();
		json_object_set_new(params, QUOTA_PARAM, own);
	}
	if (value)
		json_object_set_new(own, quota_rows[kind].name, json_integer(value));
	else
		json_object_del(own, quota_rows[kind].name);
	return params;
}

int64_t quota_pass(quota_due *due_us, int64_t per_second, int64_t now_us)
{
	int64_t due = *due_us > now_us ? *due_us : now_us, next;

	if (per_second >= 1000000)
		return 0;
	next = due + 1000000 / per_second;
	if (next - now_us > 1000000)
		return next - now_us - 1000000;
	*due_us = next;
	return 0;
}
