#include "control/api/authorize.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "control/api/facts.h"
#include "control/api/rights.h"

struct policy_decision authorize_words(const struct principal *who, const struct iam_query *q,
				       char **text)
{
	struct policy_decision d = principal_decide(who, q);
	const char *kind = d.policy ? "a session policy" : "an identity-based policy";
	const char *none = d.policy ? "session" : "identity-based";

	*text = NULL;
	if (d.verdict == POLICY_DENIES)
		*text = xasprintf("User: %s is not authorized to perform: %s on resource: %s with "
				  "an explicit deny in %s",
				  who->arn, q->action, q->resource, kind);
	else if (d.verdict == POLICY_NOTHING)
		*text = xasprintf("User: %s is not authorized to perform: %s on resource: %s "
				  "because no %s policy allows the %s action",
				  who->arn, q->action, q->resource, none, q->action);
	return d;
}

static void authorize_refuse(struct call *c, const char *action, const char *text)
{
	log_info("not authorized action=%s key=%s id=%s", action, c->who->key, c->id);
	call_fail_as(c, 403, "AccessDeniedException", text);
}

static bool authorize_ask(struct call *c, const struct iam_query *q)
{
	autofree char *text = NULL;

	if (!c->who->n_policies)
		return true;
	authorize_words(c->who, q, &text);
	if (text)
		authorize_refuse(c, q->action, text);
	return !text;
}

bool authorize_also(struct call *c, const char *action, const char *resource, const json_t *tags,
		    const struct subject *of)
{
	const struct facts facts = {
		.call = c, .key = c->key, .tags = tags, .associated = of->arn
	};

	return authorize_ask(c, &(struct iam_query){ action, resource, facts_lookup, &facts });
}

/* The account in an ARN of somebody's; an empty one and that of the service itself are nobody's. */
static bool authorize_is_ours(const struct call *c, const char *arn)
{
	const char *account = arn;
	size_t size;

	if (strncmp(arn, "arn:", 4) != 0)
		return true;
	for (int i = 0; i < 4 && account; i++) {
		account = strchr(account, ':');
		account = account ? account + 1 : NULL;
	}
	if (!account)
		return true;
	size = strcspn(account, ":");
	return !size || (size == 3 && !strncmp(account, "aws", 3)) ||
	       (size == strlen(c->who->account) && !strncmp(account, c->who->account, size));
}

/* No policy of ours can give what belongs to another account. */
static void authorize_foreign(struct call *c, const char *action, const char *resource)
{
	autofree char *text = xasprintf("User: %s is not authorized to perform: %s on resource: %s "
					"because no resource-based policy allows the %s action",
					c->who->arn, action, resource, action);

	authorize_refuse(c, action, text);
}

static bool authorize_of(struct call *c, enum right_of of, const char *action)
{
	autofree char *text = NULL;

	if (of == RIGHT_ROOT
		    ? c->who->root
		    : of != RIGHT_OPERATOR || !strcmp(c->who->account, c->ctl->conf->account))
		return true;
	text = xasprintf("User: %s is not authorized to perform: %s because it is for %s",
			 c->who->arn, action,
			 of == RIGHT_ROOT ? "the key pairs of the server's credentials file"
					  : "the account of the server's operator");
	authorize_refuse(c, action, text);
	return false;
}

static bool authorize_subject(struct call *c, const struct right *right, const char *action,
			      const struct subject *s)
{
	const struct facts facts = { .call = c, .key = c->key, .tags = s->tags };

	if (s->unknown || !authorize_is_ours(c, s->arn)) {
		authorize_foreign(c, action, s->arn);
		return false;
	}
	if (!authorize_ask(c, &(struct iam_query){ action, s->arn, facts_lookup, &facts }))
		return false;
	return !c->who->n_policies || !right || !right->also || right->also(c, s);
}

static bool tags_differ(const json_t *tags)
{
	const char *a, *b;
	const json_t *value;

	json_object_foreach((json_t *)(uintptr_t)tags, a, value)
	{
		json_object_foreach((json_t *)(uintptr_t)tags, b, value)
		{
			if (a != b && !strcasecmp(a, b))
				return false;
		}
	}
	return true;
}

/* A condition sees so many keys of tags and not more, and to it keys are the same that differ by
 * case alone: what it could not see is refused. */
static bool authorize_tags(struct call *c)
{
	const json_t *small = json_object_get(c->in, "tags");
	const json_t *tags = small ? small : json_object_get(c->in, "Tags");

	if (!c->who->n_policies)
		return true;

	if (json_object_size(tags) > IAM_MAX_VALUES ||
	    json_array_size(json_object_get(c->in, "tagKeys")) > IAM_MAX_VALUES) {
		call_invalid(c, "A request can have %d keys of tags.", IAM_MAX_VALUES);
		return false;
	}
	if (tags_differ(tags))
		return true;
	call_invalid(c, "The keys of tags must differ in more than their case.");
	return false;
}

bool authorize(struct call *c)
{
	static const char *const prefixes[NUM_FAMILIES] = {
		[FAMILY_MICROVMS] = "lambda", [FAMILY_TAGS] = "lambda", [FAMILY_CORE] = "lambda",
		[FAMILY_DOZE] = "doze",       [FAMILY_LOGS] = "logs",
	};
	const struct right *right = right_find(c->op->name);
	struct subject s = { .arn = NULL };
	char action[96];
	bool may;

	if (right_action(c->op->name))
		snprintf(action, sizeof(action), "%s", right_action(c->op->name));
	else
		snprintf(action, sizeof(action), "%s:%s", prefixes[c->op->family], c->op->name);
	if (!authorize_tags(c) || (right && !authorize_of(c, right->of, action)))
		return false;
	if (right && right->subject)
		right->subject(c, &s);
	if (!s.arn)
		s.arn = xstrdup("*");
	may = authorize_subject(c, right, action, &s);
	free(s.arn);
	return may;
}
