#include "control/api/audit.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/api/handlers/handlers.h"
#include "control/events/events.h"
#include "control/model/quotas.h"

#define AUDIT_TEXT     512 /* bytes of a text of the client's, or of an error's, at most */
#define AUDIT_STRANGER 20  /* refused calls of nobody in particular that are told in a second */

/* clang-format off */
static const char *const told_in[] = {
	"account", "action", "alias", "allowedPorts", "baseImageArn", "baseImageVersion", "buildId", "buildRoleArn",
	"cpuConfigurations", "description", "Description", "egressNetworkConnectors", "executionRoleArn", "expirationInMinutes",
	"expiresInSeconds", "from", "id", "identifier", "Identifier", "idlePolicy", "image", "imageIdentifier", "imageVersion",
	"ingressNetworkConnectors", "key", "kmsKeyIdentifier", "limit", "listen", "logGroupIdentifier", "logGroupName",
	"logStreamName", "maxResults", "maximumDurationInSeconds", "microvmIdentifier", "name", "Name", "nameFilter",
	"overlapSeconds", "port", "protocol", "publishedPort", "quota", "Resource", "resource", "resources", "retentionInDays", "roleArn", "roleSessionName",
	"status", "TagKeys", "tagKeys", "value", "version", "VersionNumber",
};
static const char *const told_out[] = {
	"accessKeyId", "account", "Arn", "Id", "imageArn", "imageVersion", "keyId", "microvmId", "name", "Name", "publishedPort", "state",
	"State", "version", "Version",
};
static const char *const reading[] = { "Get", "List", "Describe", "Filter", "Read", "Explain", NULL };
/* clang-format on */

static json_t *audit_told(const json_t *from, const char *const *names, size_t n)
{
	json_t *told = json_object();

	for (size_t i = 0; i < n; i++) {
		json_t *value = json_object_get(from, names[i]);

		if (value && !json_is_null(value))
			json_object_set(told, names[i], value);
	}
	return told;
}

static bool audit_reads(const char *name)
{
	for (size_t i = 0; reading[i]; i++)
		if (!strncmp(name, reading[i], strlen(reading[i])))
			return true;
	return false;
}

/* A client's bytes as text: what is no printable ASCII is a question mark. */
static json_t *audit_text(const char *bytes)
{
	char text[AUDIT_TEXT + 1];
	size_t n = bytes ? strnlen(bytes, AUDIT_TEXT) : 0;

	for (size_t i = 0; i < n; i++)
		text[i] = (char)(bytes[i] < ' ' || bytes[i] > '~' ? '?' : bytes[i]);
	return bytes ? json_stringn(text, n) : json_null();
}

static json_t *audit_address(const struct call *c)
{
	char text[HTTP_PEER_TEXT];

	return c->x && http_peer_text(c->x, text) ? json_string(text) : json_null();
}

/* NULL: nobody that is known; whoever knows the id of a key is not its owner yet. */
static const struct principal *audit_who(const struct call *c)
{
	return c->verified ? c->who : NULL;
}

static json_t *audit_identity(const struct call *c)
{
	const struct principal *who = audit_who(c);
	const char *type = who && who->root ? "Root" : "IAMUser";

	if (!who)
		return json_pack("{s:s,s:o}", "type", "Unknown", "accessKeyId",
				 audit_text(*c->claim.access_key ? c->claim.access_key : NULL));
	if (c->key->session && !strncmp(who->arn, "arn:aws:sts:", strlen("arn:aws:sts:")))
		type = "AssumedRole";
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "type", type, "principalId", who->key, "arn",
			 who->arn, "accountId", who->account, "accessKeyId", who->key, "userName",
			 who->name);
}

static const char *audit_source(const struct call *c)
{
	if (c->op == &sts_op)
		return "sts.amazonaws.com";
	if (c->op && c->op->family == FAMILY_DOZE)
		return "doze";
	return c->op && c->op->family == FAMILY_LOGS ? "logs.amazonaws.com" : EVENTS_SOURCE;
}

static const char *audit_name(const struct call *c)
{
	if (c->action)
		return c->action;
	return c->op ? c->op->name : "UnknownOperation";
}

/* Whoever follows events would see the reading of them alone. */
static bool audit_is_wanted(const struct call *c)
{
	const char *calls = c->ctl->conf->events_calls;

	if (c->op && c->op->run == events_list && !c->end.type)
		return false;
	if (!strcmp(calls, "writes"))
		return c->end.type || !audit_reads(audit_name(c));
	return !strcmp(calls, "all");
}

/* Whoever signs with no key of ours must not fill the journal. */
static bool audit_is_too_much(const struct call *c)
{
	struct events *events = c->ctl->events;

	if (audit_who(c) || !quota_pass(&events->strangers_due_us, AUDIT_STRANGER, clock_mono_us()))
		return false;
	events->strangers_untold++;
	return true;
}

void audit_call(const struct call *c)
{
	struct events *events = c->ctl->events;
	const char *name = audit_name(c);
	json_t *event;

	if (!audit_is_wanted(c) || audit_is_too_much(c))
		return;
	if (events->strangers_untold) {
		events_lost(c->ctl, events->strangers_untold,
			    "They were calls without a right signature.");
		events->strangers_untold = 0;
	}
	event = events_new(c->ctl, name, audit_source(c), "AwsApiCall",
			   audit_who(c) ? c->who->account : c->ctl->conf->account);
	json_object_set_new(event, "requestID", json_string(c->id));
	json_object_set_new(event, "readOnly", json_boolean(audit_reads(name)));
	json_object_set_new(event, "sourceIPAddress", audit_address(c));
	json_object_set_new(
		event, "userAgent",
		audit_text(c->x ? http_header(http_request(c->x), "user-agent") : NULL));
	json_object_set_new(event, "userIdentity", audit_identity(c));
	if (c->end.type) {
		json_object_set_new(event, "errorCode", json_string(c->end.type));
		json_object_set_new(event, "errorMessage", audit_text(c->end.text));
	}
	json_object_set_new(event, "requestParameters",
			    audit_told(c->in, told_in, ARRAY_SIZE(told_in)));
	json_object_set_new(event, "responseElements",
			    audit_told(c->end.answer ? c->end.answer : c->made, told_out,
				       ARRAY_SIZE(told_out)));
	events_add(c->ctl, event);
}
