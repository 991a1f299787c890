/* sts_session.c - keys for a while: GetSessionToken for who asks, AssumeRole for a role of the
 * configuration.  A session ends no later than the key that it was made with. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/stamp.h"
#include "base/steady.h"
#include "control/api/facts.h"
#include "control/api/handlers/handlers.h"
#include "control/api/handlers/sts.h"
#include "control/api/issue.h"
#include "control/api/roles.h"
#include "iam/policy.h"

#define SESSION_LEAST_S    900
#define SESSION_MOST_S     129600 /* of GetSessionToken */
#define SESSION_DEFAULT_S  43200
#define SESSION_ROLE_S     3600 /* of AssumeRole, and the most where a role assumes a role */
#define SESSION_POLICY_MAX 2048
#define SESSION_NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@-"

static void printf_like(2, 3) session_invalid(struct call *c, const char *fmt, ...)
{
	char text[2048];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	sts_fail(c, 400, "ValidationError", text);
}

/* False: the call has failed. */
static bool session_seconds(struct call *c, int64_t fallback, int64_t most, int64_t *seconds)
{
	autofree char *text = sts_text(c, "DurationSeconds");
	bool number =
		text && *text && strlen(text) < 10 && strspn(text, "0123456789") == strlen(text);

	*seconds = number ? strtoll(text, NULL, 10) : fallback;
	if (text && (!number || *seconds < SESSION_LEAST_S || *seconds > most)) {
		session_invalid(c,
				"1 validation error detected: Value '%.40s' at 'durationSeconds' "
				"failed to satisfy constraint: Member must have value %s than or "
				"equal to %lld",
				text, number && *seconds > most ? "less" : "greater",
				(long long)(number && *seconds > most ? most : SESSION_LEAST_S));
		return false;
	}
	return true;
}

static void session_put_credentials(struct buf *to, const struct access_key *key)
{
	char text[STAMP_SIZE];

	stamp_text(steady_shown(key->expires_ms), text);
	buf_adds(to, "<Credentials>");
	sts_put(to, "AccessKeyId", key->who.key);
	sts_put(to, "SecretAccessKey", key->secret);
	sts_put(to, "SessionToken", key->session);
	sts_put(to, "Expiration", text);
	buf_adds(to, "</Credentials>");
}

static void session_answer(struct call *c, const struct access_key *key)
{
	struct buf result = { .secret = true };

	c->made = json_pack("{s:s}", "accessKeyId", key->who.key);

	session_put_credentials(&result, key);
	sts_answer(c, "GetSessionToken", &result);
}

static void session_answer_role(struct call *c, const struct access_key *key)
{
	struct buf result = { .secret = true };
	autofree char *id = xasprintf("%s:%s", key->who.key, key->who.name);

	c->made = json_pack("{s:s}", "accessKeyId", key->who.key);

	buf_adds(&result, "<AssumedRoleUser>");
	sts_put(&result, "AssumedRoleId", id);
	sts_put(&result, "Arn", key->who.arn);
	buf_adds(&result, "</AssumedRoleUser>");
	session_put_credentials(&result, key);
	sts_answer(c, "AssumeRole", &result);
}

/* NULL: the account has all that it may have, and the call has failed. */
static struct access_key *session_new(struct call *c, const char *account, const char *arn,
				      int64_t seconds)
{
	struct access_key *key;

	if (!issue_has_room(c->ctl, account, arn)) {
		sts_fail(c, 400, "LimitExceeded",
			 "The account has all the access keys and sessions that it may have.");
		return NULL;
	}
	key = issue_new(c->ctl, account, true);
	key->expires_ms = key->created_ms + 1000 * seconds;
	if (c->key->expires_ms && c->key->expires_ms < key->expires_ms)
		key->expires_ms = c->key->expires_ms;
	return key;
}

void sts_get_session_token(struct call *c)
{
	struct access_key *key;
	int64_t seconds;
	struct err e;

	if (c->key->session) {
		sts_fail(c, 403, "AccessDenied",
			 "Cannot call GetSessionToken with session credentials");
		return;
	}
	if (!session_seconds(c, SESSION_DEFAULT_S, SESSION_MOST_S, &seconds))
		return;
	key = session_new(c, c->who->account, c->who->arn, seconds);
	if (!key)
		return;
	memcpy(key->who.name, c->who->name, sizeof(key->who.name));
	memcpy(key->who.arn, c->who->arn, sizeof(key->who.arn));
	if (key_allow(key, c->key->policy, &e)) {
		key_unref(key);
		sts_fail(c, 500, "InternalFailure", e.text);
		return;
	}
	issue_key(c, key, NULL, session_answer, NULL);
}

/* The role that the request names, if it lets in who asks and no policy forbids it.  NULL: the call
 * has failed, with the same words whether there is such a role or not. */
static const struct iam_role *session_role(struct call *c, const char *arn)
{
	const struct iam_role *role = roles_find(&c->ctl->api->roles, arn);
	const struct facts facts = { .call = c, .key = c->key };
	const struct iam_query q = { "sts:AssumeRole", arn, facts_lookup, &facts };
	const struct account *a = role ? account_of(c->ctl, role->account) : NULL;

	if (role && account_is_open(c->ctl, a) && role_trusts(role, c->who) &&
	    principal_decide(c->who, &q).verdict != POLICY_DENIES)
		return role;
	{
		autofree char *text = xasprintf("User: %s is not authorized to perform: "
						"sts:AssumeRole on resource: %s",
						c->who->arn, arn);

		sts_fail(c, 403, "AccessDenied", text);
	}
	return NULL;
}

static bool session_name_ok(struct call *c, const char *name)
{
	size_t size = name ? strlen(name) : 0;

	if (size >= 2 && size <= 64 && strspn(name, SESSION_NAME_CHARS) == size)
		return true;
	session_invalid(
		c,
		"1 validation error detected: Value '%.100s' at 'roleSessionName' failed to "
		"satisfy constraint: Member must satisfy regular expression pattern: "
		"[\\w+=,.@-]{2,64}",
		name ? name : "null");
	return false;
}

/* What the session may do: what the role may, and of that what the request's policy leaves. */
static int session_allow(struct access_key *key, const struct iam_role *role, const char *policy,
			 struct err *e)
{
	static const char all[] = "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\","
				  "\"Resource\":\"*\"}}";
	autofree char *both = NULL;
	struct policy *p;

	if (!policy)
		return key_allow(key, role->policy, e);
	if (strlen(policy) > SESSION_POLICY_MAX)
		return err_set(e, ERR_INVALID, "a session's policy has at most %d characters",
			       SESSION_POLICY_MAX);
	p = policy_compile(policy, strlen(policy), e); /* for its lines */
	if (!p)
		return -1;
	policy_free(p);
	both = xasprintf("[%s,%s]", role->policy ? role->policy : all, policy);
	return key_allow(key, both, e);
}

/* What would make the session less than its role must not be passed over. */
static bool session_is_known(struct call *c)
{
	static const char *const unknown[] = { "PolicyArns.member.1.arn", "Tags.member.1.Key",
					       "TransitiveTagKeys.member.1", "SourceIdentity",
					       "SerialNumber" };

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		autofree char *given = sts_text(c, unknown[i]);
		autofree char *text = xasprintf("%.*s is not a parameter of this server. A policy "
						"of the session is given as Policy.",
						(int)strcspn(unknown[i], "."), unknown[i]);

		if (!given)
			continue;
		session_invalid(c, "%s", text);
		return false;
	}
	return true;
}

static bool session_may_last(struct call *c, const struct iam_role *role, int64_t seconds)
{
	if (strstr(c->who->arn, ":assumed-role/") && seconds > SESSION_ROLE_S)
		session_invalid(c, "The requested DurationSeconds exceeds the 1 hour session limit "
				   "for roles assumed by role chaining.");
	else if (seconds > role->max_session_s)
		session_invalid(c, "The requested DurationSeconds exceeds the MaxSessionDuration "
				   "set for this role.");
	else
		return true;
	return false;
}

void sts_assume_role(struct call *c)
{
	autofree char *arn = sts_text(c, "RoleArn"), *name = sts_text(c, "RoleSessionName");
	autofree char *policy = sts_text(c, "Policy"), *of = NULL;
	const struct iam_role *role;
	struct access_key *key;
	int64_t seconds;
	struct err e;

	if (!arn) {
		session_invalid(c, "1 validation error detected: Value null at 'roleArn' failed to "
				   "satisfy constraint: Member must not be null");
		return;
	}
	c->in = json_pack("{s:s,s:s?}", "roleArn", arn, "roleSessionName", name);
	if (!session_name_ok(c, name) || !session_is_known(c) ||
	    !session_seconds(c, SESSION_ROLE_S, SESSION_DEFAULT_S, &seconds))
		return;
	role = session_role(c, arn);
	if (!role || !session_may_last(c, role, seconds))
		return;
	of = xasprintf("arn:aws:sts::%s:assumed-role/%s", role->account,
		       strrchr(role->arn, '/') + 1);
	key = session_new(c, role->account, of, seconds);
	if (!key)
		return;
	snprintf(key->who.name, sizeof(key->who.name), "%s", name);
	snprintf(key->who.arn, sizeof(key->who.arn), "%s/%s", of, name);
	if (session_allow(key, role, policy, &e)) {
		key_unref(key);
		sts_fail(c, 400, "MalformedPolicyDocument", e.text);
		return;
	}
	issue_key(c, key, NULL, session_answer_role, NULL);
}
