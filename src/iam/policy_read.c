/* policy_read.c - from the text of a policy to its statements.  What cannot be meant is refused
 * with the line on which it stands. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "iam/policy.h"
#include "iam/policy_parts.h"
#include "iam/where.h"

#define READ_DEPTH 8

struct reading {
	const char *text;
	struct where_step steps[READ_DEPTH]; /* to what is being read */
	size_t depth;
	bool variables; /* the version has them */
	struct policy *policy;
	struct err *e;
};

static int printf_like(2, 3) read_fail(struct reading *r, const char *fmt, ...)
{
	char why[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	return err_set(r->e, ERR_INVALID, "line %u: %s", where_line(r->text, r->steps, r->depth),
		       why);
}

/* What a part of us has said about the value at hand. */
static int read_fail_as(struct reading *r, const struct err *e)
{
	return read_fail(r, "%s", e->text);
}

static void read_into(struct reading *r, const char *key, size_t index)
{
	assert(r->depth < READ_DEPTH);
	r->steps[r->depth++] = (struct where_step){ key, index };
}

static void read_out(struct reading *r)
{
	r->depth--;
}

/* One value, or each of a list. */
static int read_each(struct reading *r, const json_t *value, void *to,
		     int (*each)(struct reading *r, void *to, const json_t *value))
{
	size_t i;
	const json_t *item;

	if (!json_is_array(value))
		return each(r, to, value);
	if (!json_array_size(value))
		return read_fail(r, "an empty list says nothing");
	json_array_foreach(value, i, item)
	{
		read_into(r, NULL, i);
		if (each(r, to, item))
			return -1;
		read_out(r);
	}
	return 0;
}

static int read_glob(struct reading *r, struct globs *g, const char *text, enum glob_kind kind)
{
	struct glob one;
	struct err e;

	if (glob_compile(&one, text, kind, r->variables && kind == GLOB_ARN, &e))
		return read_fail_as(r, &e);
	g->each = xrealloc(g->each, (g->n + 1) * sizeof(*g->each));
	g->each[g->n++] = one;
	return 0;
}

static int read_action(struct reading *r, void *to, const json_t *value)
{
	static const char name[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	const char *text = json_string_value(value);
	size_t vendor;

	if (!text)
		return read_fail(r, "an action is a text, as \"lambda:RunMicrovm\"");
	vendor = strspn(text, name);
	vendor += strspn(text + vendor, "-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					"0123456789");
	if (strcmp(text, "*") != 0 && (!vendor || text[vendor] != ':'))
		return read_fail(r,
				 "\"%.100s\" is no action: it needs a service in front, as "
				 "\"lambda:RunMicrovm\"",
				 text);
	if (text[vendor] == ':') {
		const char *rest = text + vendor + 1;

		while (*rest && (strchr("*?", *rest) || strchr(name, *rest)))
			rest++;
		if (*rest || !text[vendor + 1])
			return read_fail(r, "\"%.100s\" is no action", text);
	}
	return read_glob(r, to, text, GLOB_NAME);
}

/* "arn:aws:lambda:*" is meant by those who write it; "arn:aws:lambda" can match nothing. */
static bool read_is_arn(const char *text)
{
	size_t size = strlen(text);
	unsigned colons = 0;

	if (!strcmp(text, "*"))
		return true;
	for (const char *t = text; *t; t++)
		colons += *t == ':';
	return !strncmp(text, "arn:", 4) && (colons >= 5 || text[size - 1] == '*');
}

static int read_resource(struct reading *r, void *to, const json_t *value)
{
	const char *text = json_string_value(value);

	if (!text || !read_is_arn(text))
		return read_fail(r, "Resource %.200s must be in ARN format or \"*\"",
				 text ? text : "");
	return read_glob(r, to, text, GLOB_ARN);
}

static int read_globs(struct reading *r, struct globs *g, bool inverted, const json_t *value,
		      int (*each)(struct reading *r, void *to, const json_t *value))
{
	if (g->given)
		return read_fail(r, "the statement has both this and its opposite");
	g->given = true;
	g->inverted = inverted;
	return read_each(r, value, g, each);
}

static int read_sid(struct reading *r, struct statement *s, const json_t *value)
{
	const char *sid = json_string_value(value);
	const struct policy *p = r->policy;

	if (!sid || strspn(sid, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") !=
			    strlen(sid))
		return read_fail(r, "a Sid has letters and digits");
	for (size_t i = 0; i < p->n; i++)
		if (*sid && p->statements[i].sid && !strcmp(p->statements[i].sid, sid))
			return read_fail(r, "two statements have the Sid \"%.100s\"", sid);
	s->sid = *sid ? xstrdup(sid) : NULL;
	return 0;
}

static int read_effect(struct reading *r, struct statement *s, const json_t *value)
{
	const char *effect = json_string_value(value);

	s->deny = effect && !strcmp(effect, "Deny");
	if (!effect || (!s->deny && strcmp(effect, "Allow") != 0))
		return read_fail(r, "an Effect is \"Allow\" or \"Deny\"");
	r->policy->denies = r->policy->denies || s->deny;
	return 0;
}

static int read_actions(struct reading *r, struct statement *s, const json_t *value)
{
	return read_globs(r, &s->actions, false, value, read_action);
}

static int read_not_actions(struct reading *r, struct statement *s, const json_t *value)
{
	return read_globs(r, &s->actions, true, value, read_action);
}

static int read_resources(struct reading *r, struct statement *s, const json_t *value)
{
	return read_globs(r, &s->resources, false, value, read_resource);
}

static int read_not_resources(struct reading *r, struct statement *s, const json_t *value)
{
	return read_globs(r, &s->resources, true, value, read_resource);
}

static int read_principal(struct reading *r, struct statement *s, const json_t *value)
{
	(void)s, (void)value;
	return read_fail(r, "a policy of a key names no principal: it is that of the key");
}

static int read_operand(struct reading *r, void *to, const json_t *value)
{
	char number[64];
	const char *text = json_string_value(value);
	struct err e;

	if (json_is_boolean(value))
		text = json_is_true(value) ? "true" : "false";
	if (json_is_number(value)) {
		snprintf(number, sizeof(number), "%.17g", json_number_value(value));
		text = number;
	}
	if (!text)
		return read_fail(r, "a value of a condition is a text, a number, true or false");
	return condition_add(to, text, r->variables, &e) ? read_fail_as(r, &e) : 0;
}

static int read_condition(struct reading *r, struct statement *s, const char *op,
			  const json_t *keys)
{
	const char *key;
	json_t *value;

	if (!json_object_size(keys))
		return read_fail(r,
				 "an operator needs keys, as {\"aws:SourceIp\": \"10.0.0.0/8\"}");
	/* jansson gives no constant members. */
	json_object_foreach((json_t *)(uintptr_t)keys, key, value)
	{
		struct condition *c;
		struct err e;

		read_into(r, key, 0);
		s->conditions = xrealloc(s->conditions, (s->n + 1) * sizeof(*s->conditions));
		c = &s->conditions[s->n];
		if (condition_begin(c, op, key, &e))
			return read_fail_as(r, &e);
		s->n++;
		if (read_each(r, value, c, read_operand))
			return -1;
		read_out(r);
	}
	return 0;
}

static int read_conditions(struct reading *r, struct statement *s, const json_t *value)
{
	const char *op;
	json_t *keys;

	if (!json_is_object(value))
		return read_fail(r, "a Condition is an object of operators");
	json_object_foreach((json_t *)(uintptr_t)value, op, keys)
	{
		read_into(r, op, 0);
		if (read_condition(r, s, op, keys))
			return -1;
		read_out(r);
	}
	return 0;
}

static const struct {
	const char *name;
	int (*read)(struct reading *r, struct statement *s, const json_t *value);
} elements[] = {
	{ "Sid", read_sid },
	{ "Effect", read_effect },
	{ "Action", read_actions },
	{ "NotAction", read_not_actions },
	{ "Resource", read_resources },
	{ "NotResource", read_not_resources },
	{ "Condition", read_conditions },
	{ "Principal", read_principal },
	{ "NotPrincipal", read_principal },
};

static int read_element(struct reading *r, struct statement *s, const char *name,
			const json_t *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(elements); i++)
		if (!strcmp(elements[i].name, name))
			return elements[i].read(r, s, value);
	return read_fail(r, "\"%.100s\" is no element of a statement", name);
}

static int read_statement(struct reading *r, void *to, const json_t *value)
{
	struct policy *p = to;
	struct statement *s;
	const char *name;
	json_t *element;

	if (!json_is_object(value))
		return read_fail(r, "a statement is an object");
	if (p->n == POLICY_MAX_STATEMENTS)
		return read_fail(r, "more than %d statements", POLICY_MAX_STATEMENTS);
	p->statements = xrealloc(p->statements, (p->n + 1) * sizeof(*p->statements));
	s = &p->statements[p->n++];
	*s = (struct statement){ .deny = false };
	json_object_foreach((json_t *)(uintptr_t)value, name, element)
	{
		read_into(r, name, 0);
		if (read_element(r, s, name, element))
			return -1;
		read_out(r);
	}
	if (!json_object_get(value, "Effect"))
		return read_fail(r, "the statement has no Effect");
	if (!s->actions.given || !s->resources.given)
		return read_fail(r, "the statement has no %s",
				 s->actions.given ? "Resource" : "Action");
	return 0;
}

static int read_version(struct reading *r, const json_t *value)
{
	const char *version = json_string_value(value);

	r->variables = version && !strcmp(version, "2012-10-17");
	if (value && !r->variables && (!version || strcmp(version, "2008-10-17") != 0))
		return read_fail(r, "a Version is \"2012-10-17\" or \"2008-10-17\"");
	return 0;
}

static int read_policy(struct reading *r, const json_t *root)
{
	static const char *const known[] = { "Version", "Id", "Statement" };
	const char *name;
	json_t *value;

	if (!json_is_object(root))
		return read_fail(r, "a policy is an object");
	json_object_foreach((json_t *)(uintptr_t)root, name, value)
	{
		bool fine = false;

		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			fine = fine || !strcmp(known[i], name);
		read_into(r, name, 0);
		if (!fine)
			return read_fail(r, "\"%.100s\" is no element of a policy", name);
		if (!strcmp(name, "Version") && read_version(r, value))
			return -1;
		read_out(r);
	}
	value = json_object_get(root, "Statement");
	if (!value)
		return read_fail(r, "the policy has no Statement");
	read_into(r, "Statement", 0);
	return read_each(r, value, r->policy, read_statement);
}

struct policy *policy_compile(const char *text, size_t size, struct err *e)
{
	autofree char *copy = NULL;
	struct reading r = { .e = e };
	json_error_t why;
	json_t *root;
	int rc;

	if (size > POLICY_MAX_SIZE) {
		err_set(e, ERR_INVALID, "a policy has at most %d bytes", POLICY_MAX_SIZE);
		return NULL;
	}
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
	if (!root) {
		err_set(e, ERR_INVALID, "line %d: %s", why.line > 0 ? why.line : 1, why.text);
		return NULL;
	}
	copy = xmalloc(size + 1);
	memcpy(copy, text, size);
	copy[size] = '\0';
	r.text = copy;
	r.policy = xcalloc(1, sizeof(*r.policy));
	rc = read_policy(&r, root);
	json_decref(root);
	if (!rc)
		return r.policy;
	policy_free(r.policy);
	return NULL;
}
