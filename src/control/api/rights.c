/* rights.c - the rows of rights.h (service.md 17).  A microVM has no ARN: its resource is its
 * image. */

#include "control/api/rights.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/api/handlers/managed.h"
#include "control/api/key_use.h"
#include "control/api/resolve.h"
#include "control/images/images.h"
#include "control/kms/kms.h"
#include "control/model/access_key.h"
#include "control/model/published.h"

static void subject_set_image(struct call *c, struct subject *s, const struct image *image)
{
	if (!image)
		return;
	s->arn = model_image_arn(c->ctl, image);
	s->tags = image->tags;
}

/* An ARN as the request has it.  The service's authorisation knows no resource of the form
 * "microvm-image/name" (service.md 2.4). */
static void subject_of_arn(struct call *c, struct subject *s, const char *arn)
{
	const struct image *image = find_image(c->ctl, c->who->account, arn);

	if (strncmp(arn, "arn:", 4) != 0)
		return;
	s->arn = xstrdup(arn);
	s->unknown = arn_is_incomplete(arn);
	s->tags = image ? image->tags : NULL;
}

static void subject_image(struct call *c, struct subject *s)
{
	const char *arn = call_text(c, "imageIdentifier");

	if (arn)
		subject_of_arn(c, s, arn);
}

static void subject_new_image(struct call *c, struct subject *s)
{
	s->arn = model_arn_of(c->ctl, c->who->account, call_text(c, "name"));
}

/* Operations of ours take ids and names too. */
static void subject_image_any(struct call *c, struct subject *s)
{
	const char *text = call_text(c, "imageIdentifier");

	subject_set_image(
		c, s, find_image_any(c->ctl, c->who->account, text ? text : call_text(c, "id")));
}

static void subject_build(struct call *c, struct subject *s)
{
	const struct build *b = find_build(c->ctl, c->who->account, call_text(c, "id"));

	subject_set_image(c, s, b ? b->version->image : NULL);
}

static void subject_set_microvm(struct call *c, struct subject *s, const struct microvm *vm)
{
	const struct image *image = vm ? model_image_by_id(c->ctl, vm->origin.image) : NULL;

	if (!vm)
		return;
	s->arn = model_arn_of(c->ctl, vm->account, vm->origin.name);
	s->tags = image ? image->tags : NULL;
}

static void subject_microvm(struct call *c, struct subject *s)
{
	const char *id = call_text(c, "microvmIdentifier");

	subject_set_microvm(c, s,
			    find_microvm(c->ctl, c->who->account, id ? id : call_text(c, "id")));
}

static void subject_published(struct call *c, struct subject *s)
{
	long port = strtol(call_text(c, "publishedPort"), NULL, 10);
	const struct published *p =
		port > 0 && port <= UINT16_MAX ? published_find(c->ctl, (uint16_t)port) : NULL;

	if (p && p->vm)
		subject_set_microvm(c, s, find_microvm(c->ctl, c->who->account, p->vm->id));
}

/* By ARN, with or without a version behind it, id or name: one that is there is judged by its ARN,
 * however it is named. */
static void subject_set_connector(struct call *c, struct subject *s, const char *text)
{
	struct connector_version *v;
	const struct connector *connector = find_connector(c->ctl, c->who->account, text, &v);

	if (connector) {
		s->arn = v ? xstrdup(text) : model_connector_arn(c->ctl, connector);
		s->tags = connector->tags;
	} else if (!strncmp(text, "arn:", 4)) {
		s->arn = xstrdup(text);
	} else {
		s->arn = xasprintf("arn:aws:lambda:%s:%s:network-connector:%s",
				   c->ctl->conf->region, c->who->account, text);
	}
}

static void subject_connector(struct call *c, struct subject *s)
{
	const char *text = call_text(c, "Identifier");

	if (text)
		subject_set_connector(c, s, text);
}

static void subject_tagged(struct call *c, struct subject *s)
{
	const char *arn = call_text(c, "Resource");

	if (arn_is_connector(arn))
		subject_set_connector(c, s, arn);
	else
		subject_of_arn(c, s, arn);
}

static void subject_key(struct call *c, struct subject *s)
{
	const char *given = call_text(c, "key"), *name = call_text(c, "name");
	const struct access_key *key =
		given ? access_key_named(c->ctl, c->who->account, given) : NULL;

	if (key)
		s->arn = xstrdup(key->who.arn);
	else if (given || name)
		s->arn =
			xasprintf("arn:aws:iam::%s:user/%s", c->who->account, given ? given : name);
}

/* "log-group:<group>:log-stream:<stream>", whose ends are empty where none is named. */
static void subject_log_group(struct call *c, struct subject *s)
{
	const char *stream = call_text(c, "logStreamName");
	autofree char *group = call_log_group_name(c);

	s->arn = xasprintf("arn:aws:logs:%s:%s:log-group:%s:log-stream:%s", c->ctl->conf->region,
			   c->who->account, group ? group : "", stream ? stream : "");
}

static void subject_log_groups(struct call *c, struct subject *s)
{
	s->arn = xasprintf("arn:aws:logs:%s:%s:log-group::log-stream:", c->ctl->conf->region,
			   c->who->account);
}

static void subject_kms_key(struct call *c, struct subject *s)
{
	const char *text = call_text(c, "key");

	s->arn = key_use_arn(c, text);
}

/* What a request hands on. */

static bool also_role(struct call *c, const struct subject *s, const char *member)
{
	const char *role = call_text(c, member);

	return !role || authorize_also(c, "iam:PassRole", role, NULL, s);
}

/* A managed one is judged by its one ARN, whatever region the text has. */
static char *managed_connector_arn(const struct call *c, const char *text)
{
	const char *name;

	if (!arn_managed_connector(text, &name) || !name)
		return xstrdup(text);
	return xasprintf("arn:aws:lambda:%s:aws:network-connector:aws-network-connector:%s",
			 c->ctl->conf->region, name);
}

static bool also_connectors(struct call *c, const struct subject *s, const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);
		autofree char *arn = managed_connector_arn(c, text);
		struct connector_version *v;
		const struct connector *connector =
			find_connector(c->ctl, c->who->account, arn, &v);

		if (!authorize_also(c, "lambda:PassNetworkConnector", arn,
				    connector ? connector->tags : NULL, s))
			return false;
	}
	return true;
}

static bool also_tags(struct call *c, const struct subject *s, const char *member)
{
	return !json_object_size(json_object_get(c->in, member)) ||
	       authorize_also(c, "lambda:TagResource", s->arn, s->tags, s);
}

static bool also_key(struct call *c, const struct subject *s)
{
	const char *text = call_text(c, "kmsKeyIdentifier");
	autofree char *arn = text ? key_use_arn(c, text) : NULL;

	return !arn || (authorize_also(c, "kms:GenerateDataKey", arn, NULL, s) &&
			authorize_also(c, "kms:Decrypt", arn, NULL, s));
}

/* Whoever runs a version must be allowed to open what its key seals. */
static bool also_key_of(struct call *c, const struct subject *s, const struct image_version *v)
{
	autofree char *arn = v && v->kms ? kms_arn(c->ctl, v->kms) : NULL;

	return !arn || authorize_also(c, "kms:Decrypt", arn, NULL, s);
}

static bool also_of_build(struct call *c, const struct subject *s)
{
	return also_role(c, s, "buildRoleArn") &&
	       also_connectors(c, s, json_object_get(c->in, "egressNetworkConnectors")) &&
	       also_key(c, s) && also_tags(c, s, "tags");
}

/* The connectors that a microVM gets where the request names none (service.md 17). */
static bool also_default(struct call *c, const struct subject *s, const char *member,
			 const json_t *of_version, const char *managed)
{
	const json_t *named = json_object_get(c->in, member);
	json_t *list;
	bool may;

	if (json_array_size(named) || json_array_size(of_version))
		return also_connectors(c, s, json_array_size(named) ? named : of_version);
	list = managed_connector(c->ctl, managed);
	may = also_connectors(c, s, list);
	json_decref(list);
	return may;
}

static bool also_of_run(struct call *c, const struct subject *s)
{
	const char *number = call_text(c, "imageVersion");
	struct image *image = find_image(c->ctl, c->who->account, call_text(c, "imageIdentifier"));
	const struct image_version *v = NULL;

	if (image)
		v = number ? model_version(image, version_number(number))
			   : model_active_version(image);
	return also_role(c, s, "executionRoleArn") && also_key(c, s) && also_key_of(c, s, v) &&
	       also_default(c, s, "ingressNetworkConnectors", NULL, "HTTP_INGRESS") &&
	       also_default(c, s, "egressNetworkConnectors",
			    v ? json_object_get(v->params, "egressNetworkConnectors") : NULL,
			    "INTERNET_EGRESS");
}

/* The next version is made of what an earlier one has. */
static bool also_of_rebuild(struct call *c, const struct subject *s)
{
	const char *number = call_text(c, "imageVersion");
	struct image *image =
		find_image_any(c->ctl, c->who->account, call_text(c, "imageIdentifier"));

	if (!image)
		return true;
	return also_key_of(c, s,
			   number ? model_version(image, version_number(number))
				  : images_newest_made(image));
}

static bool also_of_connector(struct call *c, const struct subject *s)
{
	return also_role(c, s, "OperatorRole") && also_tags(c, s, "Tags");
}

/* clang-format off */
static const struct right rights[] = {
	{ "RunMicrovm", subject_image, also_of_run, RIGHT_ACCOUNT },
	{ "GetMicrovm", subject_microvm, NULL, RIGHT_ACCOUNT },
	{ "ListMicrovms", subject_image, NULL, RIGHT_ACCOUNT },
	{ "SuspendMicrovm", subject_microvm, NULL, RIGHT_ACCOUNT },
	{ "ResumeMicrovm", subject_microvm, NULL, RIGHT_ACCOUNT },
	{ "TerminateMicrovm", subject_microvm, NULL, RIGHT_ACCOUNT },
	{ "CreateMicrovmAuthToken", subject_microvm, NULL, RIGHT_ACCOUNT },
	{ "CreateMicrovmCertificate", subject_microvm, NULL, RIGHT_ACCOUNT },
	{ "CreateMicrovmShellAuthToken", subject_microvm, NULL, RIGHT_ACCOUNT },
	{ "CreateMicrovmImage", subject_new_image, also_of_build, RIGHT_ACCOUNT },
	{ "GetMicrovmImage", subject_image, NULL, RIGHT_ACCOUNT },
	{ "ListMicrovmImages", NULL, NULL, RIGHT_ACCOUNT },
	{ "UpdateMicrovmImage", subject_image, also_of_build, RIGHT_ACCOUNT },
	{ "DeleteMicrovmImage", subject_image, NULL, RIGHT_ACCOUNT },
	{ "GetMicrovmImageVersion", subject_image, NULL, RIGHT_ACCOUNT },
	{ "ListMicrovmImageVersions", subject_image, NULL, RIGHT_ACCOUNT },
	{ "UpdateMicrovmImageVersion", subject_image, NULL, RIGHT_ACCOUNT },
	{ "DeleteMicrovmImageVersion", subject_image, NULL, RIGHT_ACCOUNT },
	{ "GetMicrovmImageBuild", subject_image, NULL, RIGHT_ACCOUNT },
	{ "ListMicrovmImageBuilds", subject_image, NULL, RIGHT_ACCOUNT },
	{ "ListManagedMicrovmImages", NULL, NULL, RIGHT_ACCOUNT },
	{ "ListManagedMicrovmImageVersions", subject_image, NULL, RIGHT_ACCOUNT },
	{ "ListTags", subject_tagged, NULL, RIGHT_ACCOUNT },
	{ "TagResource", subject_tagged, NULL, RIGHT_ACCOUNT },
	{ "UntagResource", subject_tagged, NULL, RIGHT_ACCOUNT },

	{ "CreateNetworkConnector", NULL, also_of_connector, RIGHT_ACCOUNT },
	{ "GetNetworkConnector", subject_connector, NULL, RIGHT_ACCOUNT },
	{ "ListNetworkConnectors", NULL, NULL, RIGHT_ACCOUNT },
	{ "ListNetworkConnectorVersions", subject_connector, NULL, RIGHT_ACCOUNT },
	{ "UpdateNetworkConnector", subject_connector, also_of_connector, RIGHT_ACCOUNT },
	{ "DeleteNetworkConnector", subject_connector, NULL, RIGHT_ACCOUNT },

	{ "ReadBuildLog", subject_build, NULL, RIGHT_ACCOUNT },
	{ "GetBuild", subject_build, NULL, RIGHT_ACCOUNT },
	{ "CancelBuild", subject_build, NULL, RIGHT_ACCOUNT },
	{ "ReadMicrovmLog", subject_microvm, NULL, RIGHT_ACCOUNT },
	{ "GetAwake", subject_microvm, NULL, RIGHT_ACCOUNT },
	{ "SetAwake", subject_microvm, NULL, RIGHT_ACCOUNT },
	{ "GetImagePorts", subject_image_any, NULL, RIGHT_ACCOUNT },
	{ "RebuildMicrovmImage", subject_image_any, also_of_rebuild, RIGHT_ACCOUNT },
	{ "PublishPort", subject_microvm, NULL, RIGHT_ACCOUNT },
	{ "ListPublishedPorts", NULL, NULL, RIGHT_ACCOUNT },
	{ "UnpublishPort", subject_published, NULL, RIGHT_ACCOUNT },
	{ "GetEnvironment", NULL, NULL, RIGHT_ACCOUNT },
	{ "ListBases", NULL, NULL, RIGHT_ACCOUNT },
	{ "ImportBase", NULL, NULL, RIGHT_OPERATOR },
	{ "PullBase", NULL, NULL, RIGHT_OPERATOR },
	{ "RemoveBase", NULL, NULL, RIGHT_OPERATOR },
	{ "Drain", NULL, NULL, RIGHT_OPERATOR },
	{ "GetDrain", NULL, NULL, RIGHT_OPERATOR },
	{ "GetStats", NULL, NULL, RIGHT_OPERATOR },
	{ "Backup", NULL, NULL, RIGHT_ROOT },

	{ "DescribeLogGroups", subject_log_groups, NULL, RIGHT_ACCOUNT },
	{ "CreateLogGroup", subject_log_group, NULL, RIGHT_ACCOUNT },
	{ "DeleteLogGroup", subject_log_group, NULL, RIGHT_ACCOUNT },
	{ "PutRetentionPolicy", subject_log_group, NULL, RIGHT_ACCOUNT },
	{ "DeleteRetentionPolicy", subject_log_group, NULL, RIGHT_ACCOUNT },
	{ "DescribeLogStreams", subject_log_group, NULL, RIGHT_ACCOUNT },
	{ "GetLogEvents", subject_log_group, NULL, RIGHT_ACCOUNT },
	{ "FilterLogEvents", subject_log_group, NULL, RIGHT_ACCOUNT },

	{ "CreateAccount", NULL, NULL, RIGHT_ROOT },
	{ "ListAccounts", NULL, NULL, RIGHT_ROOT },
	{ "DeleteAccount", NULL, NULL, RIGHT_ROOT },
	{ "ListEvents", NULL, NULL, RIGHT_ACCOUNT },
	{ "ListQuotas", NULL, NULL, RIGHT_ACCOUNT },
	{ "SetQuota", NULL, NULL, RIGHT_ROOT },
	{ "UnsetQuota", NULL, NULL, RIGHT_ROOT },
	{ "CreateKey", subject_key, NULL, RIGHT_ACCOUNT },
	{ "ListKeys", NULL, NULL, RIGHT_ACCOUNT },
	{ "RotateKey", subject_key, NULL, RIGHT_ACCOUNT },
	{ "DeleteKey", subject_key, NULL, RIGHT_ACCOUNT },
	{ "ExplainKey", subject_key, NULL, RIGHT_ACCOUNT },
	{ "CreateKmsKey", NULL, NULL, RIGHT_ACCOUNT },
	{ "ListKmsKeys", NULL, NULL, RIGHT_ACCOUNT },
	{ "RotateKmsKey", subject_kms_key, NULL, RIGHT_ACCOUNT },
	{ "EnableKmsKey", subject_kms_key, NULL, RIGHT_ACCOUNT },
	{ "DisableKmsKey", subject_kms_key, NULL, RIGHT_ACCOUNT },
	{ "DeleteKmsKey", subject_kms_key, NULL, RIGHT_ACCOUNT },
};
/* clang-format on */

/* Keys have the actions that they have at the service, as far as it has them. */
static const struct {
	const char *op, *action;
} right_actions[] = {
	{ "CreateKmsKey", "kms:CreateKey" },         { "ListKmsKeys", "kms:ListKeys" },
	{ "RotateKmsKey", "kms:RotateKeyOnDemand" }, { "EnableKmsKey", "kms:EnableKey" },
	{ "DisableKmsKey", "kms:DisableKey" },       { "DeleteKmsKey", "kms:ScheduleKeyDeletion" },
};

const char *right_action(const char *op)
{
	for (size_t i = 0; i < ARRAY_SIZE(right_actions); i++)
		if (!strcmp(right_actions[i].op, op))
			return right_actions[i].action;
	return NULL;
}

const struct right *right_find(const char *op)
{
	for (size_t i = 0; i < ARRAY_SIZE(rights); i++)
		if (!strcmp(rights[i].op, op))
			return &rights[i];
	return NULL;
}
