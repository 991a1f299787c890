/* facts.c - the table of condition keys; no value is made before a condition asks for it. */

#include "control/api/facts.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/stamp.h"
#include "base/steady.h"

static void fact(struct iam_values *to, const char *text)
{
	if (text && to->n < IAM_MAX_VALUES)
		to->at[to->n++] = text;
}

/* A text that is made for the occasion. */
static void fact_made(struct iam_values *to)
{
	fact(to, to->text);
}

static void fact_time(struct iam_values *to, int64_t at_ms)
{
	static_assert(sizeof(to->text) >= STAMP_SIZE, "a time has room");

	stamp_text(at_ms, to->text);
	if (*to->text)
		fact_made(to);
}

static void fact_now(const struct facts *f, const char *rest, struct iam_values *to)
{
	(void)f, (void)rest;
	fact_time(to, clock_wall_ms());
}

static void fact_epoch(const struct facts *f, const char *rest, struct iam_values *to)
{
	(void)f, (void)rest;
	snprintf(to->text, sizeof(to->text), "%lld", (long long)(clock_wall_ms() / 1000));
	fact_made(to);
}

/* When the session began; a key of its own has no such time. */
static void fact_issued(const struct facts *f, const char *rest, struct iam_values *to)
{
	(void)rest;
	if (f->key->session)
		fact_time(to, steady_shown(f->key->created_ms));
}

static void fact_source(const struct facts *f, const char *rest, struct iam_values *to)
{
	(void)rest;
	if (f->call && f->call->x && http_peer_text(f->call->x, to->text))
		fact_made(to);
}

static void fact_secure(const struct facts *f, const char *rest, struct iam_values *to)
{
	(void)rest;
	if (f->call && f->call->x)
		fact(to, http_is_tls(f->call->x) ? "true" : "false");
}

static void fact_agent(const struct facts *f, const char *rest, struct iam_values *to)
{
	(void)rest;
	if (f->call && f->call->x)
		fact(to, http_header(http_request(f->call->x), "user-agent"));
}

static void fact_region(const struct facts *f, const char *rest, struct iam_values *to)
{
	(void)rest;
	if (f->call)
		fact(to, f->call->ctl->conf->region);
}

static void fact_arn(const struct facts *f, const char *rest, struct iam_values *to)
{
	(void)rest;
	fact(to, f->key->who.arn);
}

static void fact_account(const struct facts *f, const char *rest, struct iam_values *to)
{
	(void)rest;
	fact(to, f->key->who.account);
}

static bool fact_is_role(const struct facts *f)
{
	return strstr(f->key->who.arn, ":assumed-role/") != NULL;
}

/* A session of a role has no user's name. */
static void fact_user(const struct facts *f, const char *rest, struct iam_values *to)
{
	(void)rest;
	if (!fact_is_role(f))
		fact(to, f->key->who.name);
}

static void fact_user_id(const struct facts *f, const char *rest, struct iam_values *to)
{
	(void)rest;
	fact(to, f->key->who.key);
}

static void fact_kind(const struct facts *f, const char *rest, struct iam_values *to)
{
	(void)rest;
	fact(to, fact_is_role(f) ? "AssumedRole" : "User");
}

/* The case of a tag's key does not matter in a condition; that of its value does. */
static void fact_of_tags(const json_t *tags, const char *name, struct iam_values *to)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)tags, key, value)
	{
		if (!to->n && !strcasecmp(key, name))
			fact(to, json_string_value(value));
	}
}

static void fact_resource_tag(const struct facts *f, const char *rest, struct iam_values *to)
{
	fact_of_tags(f->tags, rest, to);
}

/* Families write this member small and large. */
static const json_t *facts_request_tags(const struct facts *f)
{
	const json_t *in = f->call ? f->call->in : NULL;
	const json_t *tags = json_object_get(in, "tags");

	return tags ? tags : json_object_get(in, "Tags");
}

static void fact_request_tag(const struct facts *f, const char *rest, struct iam_values *to)
{
	fact_of_tags(facts_request_tags(f), rest, to);
}

static void fact_tag_keys(const struct facts *f, const char *rest, struct iam_values *to)
{
	const json_t *tags = facts_request_tags(f), *item;
	const char *key;
	json_t *value;
	size_t i;

	(void)rest;
	json_object_foreach((json_t *)(uintptr_t)tags, key, value) fact(to, key);
	json_array_foreach(json_object_get(f->call ? f->call->in : NULL, "tagKeys"), i, item)
		fact(to, json_string_value(item));
}

static void fact_passed_to(const struct facts *f, const char *rest, struct iam_values *to)
{
	(void)rest;
	if (f->associated)
		fact(to, "lambda.amazonaws.com");
}

static void fact_associated(const struct facts *f, const char *rest, struct iam_values *to)
{
	(void)rest;
	fact(to, f->associated);
}

/* A key that ends in '/' has a name behind it. */
static const struct {
	const char *key;
	void (*values)(const struct facts *f, const char *rest, struct iam_values *to);
} facts_keys[] = {
	{ "aws:currenttime", fact_now },
	{ "aws:epochtime", fact_epoch },
	{ "aws:principalaccount", fact_account },
	{ "aws:principalarn", fact_arn },
	{ "aws:principaltype", fact_kind },
	{ "aws:requestedregion", fact_region },
	{ "aws:requesttag/", fact_request_tag },
	{ "aws:resourceaccount", fact_account },
	{ "aws:resourcetag/", fact_resource_tag },
	{ "aws:securetransport", fact_secure },
	{ "aws:sourceip", fact_source },
	{ "aws:tagkeys", fact_tag_keys },
	{ "aws:tokenissuetime", fact_issued },
	{ "aws:useragent", fact_agent },
	{ "aws:userid", fact_user_id },
	{ "aws:username", fact_user },
	{ "iam:associatedresourcearn", fact_associated },
	{ "iam:passedtoservice", fact_passed_to },
};

static void facts_given(const struct facts *f, const char *name, struct iam_values *to)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)f->given, key, value)
	{
		if (!strcasecmp(key, name))
			fact(to, json_string_value(value));
	}
}

void facts_lookup(const void *arg, const char *key, struct iam_values *to)
{
	const struct facts *f = arg;

	facts_given(f, key, to);
	for (size_t i = 0; i < ARRAY_SIZE(facts_keys) && !to->n; i++) {
		size_t size = strlen(facts_keys[i].key);
		bool named = facts_keys[i].key[size - 1] == '/';

		if (named ? !strncmp(key, facts_keys[i].key, size)
			  : !strcmp(key, facts_keys[i].key))
			facts_keys[i].values(f, key + size, to);
	}
}
