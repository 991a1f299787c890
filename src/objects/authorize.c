#include "objects/authorize.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stamp.h"
#include "iam/policy.h"

/* The actions of IAM are not the operations of S3. */
static const struct {
	const char *op, *action;
	bool key; /* on the object; else on the bucket */
} actions[] = {
	{ "ListBuckets", "s3:ListAllMyBuckets", false },
	{ "GetBucketLocation", "s3:GetBucketLocation", false },
	{ "GetBucketVersioning", "s3:GetBucketVersioning", false },
	{ "GetBucketAcl", "s3:GetBucketAcl", false },
	{ "GetBucketTagging", "s3:GetBucketTagging", false },
	{ "ListMultipartUploads", "s3:ListBucketMultipartUploads", false },
	{ "ListObjectsV2", "s3:ListBucket", false },
	{ "ListObjects", "s3:ListBucket", false },
	{ "HeadBucket", "s3:ListBucket", false },
	{ "CreateBucket", "s3:CreateBucket", false },
	{ "DeleteBucket", "s3:DeleteBucket", false },
	{ "DeleteObjects", NULL, false }, /* each of its keys is asked for */
	{ "PostObject", "s3:PutObject", true },
	{ "ListParts", "s3:ListMultipartUploadParts", true },
	{ "GetObjectAcl", "s3:GetObjectAcl", true },
	{ "GetObjectTagging", "s3:GetObjectTagging", true },
	{ "GetObject", "s3:GetObject", true },
	{ "HeadObject", "s3:GetObject", true },
	{ "UploadPartCopy", "s3:PutObject", true },
	{ "UploadPart", "s3:PutObject", true },
	{ "CopyObject", "s3:PutObject", true },
	{ "PutObject", "s3:PutObject", true },
	{ "AbortMultipartUpload", "s3:AbortMultipartUpload", true },
	{ "DeleteObject", "s3:DeleteObject", true },
	{ "CreateMultipartUpload", "s3:PutObject", true },
	{ "CompleteMultipartUpload", "s3:PutObject", true },
};

static void fact(struct iam_values *to, const char *text)
{
	if (text)
		to->at[to->n++] = text;
}

static void fact_time(struct iam_values *to, int64_t at_ms)
{
	static_assert(sizeof(to->text) >= STAMP_SIZE, "a time has room");

	stamp_text(at_ms, to->text);
	if (*to->text)
		fact(to, to->text);
}

static void fact_source(const struct request *r, struct iam_values *to)
{
	if (r->x && http_peer_text(r->x, to->text))
		fact(to, to->text);
}

/* Keys whose value is a text that lives as long as the request. */
static const char *fact_text(const struct request *r, const char *key)
{
	const struct principal *who = &r->signer->who;
	bool role = strstr(who->arn, ":assumed-role/");
	const struct {
		const char *key, *value;
	} texts[] = {
		{ "aws:principalaccount", who->account },
		{ "aws:principalarn", who->arn },
		{ "aws:principaltype", role ? "AssumedRole" : "User" },
		{ "aws:requestedregion", r->s3->region },
		{ "aws:resourceaccount", who->account },
		{ "aws:securetransport", r->s3->tls ? "true" : "false" },
		{ "aws:useragent", request_header(r, "user-agent") },
		{ "aws:userid", who->key },
		{ "aws:username", role ? NULL : who->name },
		{ "s3:delimiter", request_param(r, "delimiter") },
		{ "s3:max-keys", request_param(r, "max-keys") },
		{ "s3:prefix", request_param(r, "prefix") },
		{ "s3:resourceaccount", who->account },
		{ "s3:x-amz-copy-source", request_header(r, "x-amz-copy-source") },
		{ "s3:x-amz-storage-class", request_header(r, "x-amz-storage-class") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!strcmp(texts[i].key, key))
			return texts[i].value;
	return NULL;
}

static void authorize_lookup(const void *arg, const char *key, struct iam_values *to)
{
	const struct request *r = arg;

	if (!strcmp(key, "aws:currenttime")) {
		fact_time(to, clock_wall_ms());
	} else if (!strcmp(key, "aws:tokenissuetime")) {
		if (r->signer->session)
			fact_time(to, r->signer->created_ms);
	} else if (!strcmp(key, "aws:epochtime")) {
		snprintf(to->text, sizeof(to->text), "%lld", (long long)(clock_wall_ms() / 1000));
		fact(to, to->text);
	} else if (!strcmp(key, "aws:sourceip")) {
		fact_source(r, to);
	} else {
		fact(to, fact_text(r, key));
	}
}

static bool authorize_ask(const struct request *r, const char *action, const char *resource,
			  char **text)
{
	const struct principal *who = &r->signer->who;
	const struct iam_query q = { action, resource, authorize_lookup, r };
	struct policy_decision d = principal_decide(who, &q);
	const char *kind = d.policy ? "session" : "identity-based";

	if (d.verdict == POLICY_ALLOWS)
		return true;
	if (text && d.verdict == POLICY_DENIES)
		*text = xasprintf("User: %s is not authorized to perform: %s on resource: \"%s\" "
				  "with an explicit deny in %s %s policy",
				  who->arn, action, resource, d.policy ? "a" : "an", kind);
	else if (text)
		*text = xasprintf("User: %s is not authorized to perform: %s on resource: \"%s\" "
				  "because no %s policy allows the %s action",
				  who->arn, action, resource, kind, action);
	return false;
}

bool authorize_object(const struct request *r, const char *action, const char *bucket,
		      const char *key, char **text)
{
	autofree char *resource = xasprintf("arn:aws:s3:::%s/%s", bucket, key);

	return authorize_ask(r, action, resource, text);
}

bool authorize_request(struct request *r)
{
	autofree char *resource = NULL, *text = NULL;
	size_t i = 0;

	if (!r->signer->who.n_policies)
		return true;
	while (i < ARRAY_SIZE(actions) && strcmp(actions[i].op, r->op->name) != 0)
		i++;
	if (i < ARRAY_SIZE(actions) && !actions[i].action)
		return true;
	resource = !r->bucket_name[0] ? xstrdup("arn:aws:s3:::*")
		   : i < ARRAY_SIZE(actions) && actions[i].key
			   ? xasprintf("arn:aws:s3:::%s/%s", r->bucket_name, r->key)
			   : xasprintf("arn:aws:s3:::%s", r->bucket_name);
	/* An operation without a row is nobody's who has a policy. */
	if (i < ARRAY_SIZE(actions) && authorize_ask(r, actions[i].action, resource, &text))
		return true;
	answer_fault(r, FAULT_ACCESS_DENIED, text);
	return false;
}

bool authorize_owns(const struct request *r, const struct bucket *b)
{
	return !strcmp(b->owner, r->signer->who.account);
}
