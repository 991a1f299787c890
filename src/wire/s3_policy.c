/* s3_policy.c - the policy of a form: who has signed it, until when, and what it allows (Amazon S3
 * User Guide, "Creating a POST policy"). */

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "wire/s3_form.h"
#include "wire/sigv4.h"

#define POLICY_DENIED "AccessDenied: Invalid according to Policy: "

static const char *policy_field(const struct s3_form *f, const char *name)
{
	const char *text = s3_form_field(f, name);

	return text ? text : "";
}

/* "KEY/yyyymmdd/region/s3/aws4_request" */
static bool policy_credential(const char *text, struct s3_form_claim *c)
{
	char service[8], end[16];
	int n = 0;

	return sscanf(text, "%128[^/]/%8[0-9]/%64[^/]/%7[^/]/%15[^/]%n", c->access_key, c->date,
		      c->region, service, end, &n) == 5 &&
	       !text[n] && strlen(c->date) == 8 && !strcmp(service, "s3") &&
	       !strcmp(end, "aws4_request");
}

int s3_form_read_claim(const struct s3_form *f, struct s3_form_claim *c, struct err *e)
{
	const char *key = policy_field(f, "awsaccesskeyid");

	*c = (struct s3_form_claim){ .v4 = s3_form_field(f, "x-amz-signature") };
	if (!*policy_field(f, "policy"))
		return err_set(e, ERR_DENIED, "AccessDenied: The form has no policy.");
	if (c->v4 ? strcmp(policy_field(f, "x-amz-algorithm"), "AWS4-HMAC-SHA256") ||
			    !policy_credential(policy_field(f, "x-amz-credential"), c)
		  : !*key || strlen(key) >= sizeof(c->access_key))
		return err_set(e, ERR_DENIED,
			       "AccessDenied: The form lacks what signs its policy, or it is "
			       "malformed.");
	if (!c->v4)
		snprintf(c->access_key, sizeof(c->access_key), "%s", key);
	return 0;
}

static void policy_sign_v2(const char *secret, const char *policy, char *to)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned size;

	if (!HMAC(EVP_sha1(), secret, (int)strlen(secret), (const uint8_t *)policy, strlen(policy),
		  mac, &size))
		abort(); /* SHA-1 is always there */
	s3_base64(mac, size, to);
}

int s3_form_verify(const struct s3_form *f, const struct s3_form_claim *c, const char *secret,
		   struct err *e)
{
	const char *policy = policy_field(f, "policy");
	const char *claimed = policy_field(f, c->v4 ? "x-amz-signature" : "signature");
	autobuf struct buf text = { 0 };
	uint8_t key[SIGV4_KEY_SIZE];
	char made[65];

	if (!secret)
		return err_set(e, ERR_DENIED,
			       "InvalidClientTokenId: The AWS Access Key Id you provided does not "
			       "exist in our records.");
	if (c->v4) {
		buf_adds(&text, policy);
		sigv4_derive(secret, c->date, c->region, "s3", key);
		sigv4_sign_text(key, &text, made);
		OPENSSL_cleanse(key, sizeof(key));
	} else {
		policy_sign_v2(secret, policy, made);
	}
	if (strlen(made) != strlen(claimed) || CRYPTO_memcmp(made, claimed, strlen(made)))
		return err_set(e, ERR_DENIED,
			       "SignatureDoesNotMatch: The request signature we calculated does "
			       "not match the signature you provided.");
	return 0;
}

static json_t *policy_read(const char *text)
{
	size_t n = strlen(text), padding = n && text[n - 1] == '=';
	autobuf struct buf json = { 0 };
	int size;

	padding += padding && n > 1 && text[n - 2] == '=';
	buf_reserve(&json, n + 1);
	size = EVP_DecodeBlock(json.data, (const uint8_t *)text, (int)n);
	if (size <= 0)
		return NULL;
	return json_loadb((const char *)json.data, (size_t)size - padding, JSON_REJECT_DUPLICATES,
			  NULL);
}

/* "2026-12-01T00:00:18Z", perhaps with parts of a second, as milliseconds; -1: it is none. */
static int64_t policy_time(const char *text)
{
	struct tm tm = { 0 };
	const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;

	if (end && *end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	return end && !strcmp(end, "Z") ? (int64_t)timegm(&tm) * 1000 : -1;
}

/* What the conditions are held against, and which fields they have named. */
struct policy {
	const struct s3_form *f;
	const char *bucket, *key;
	struct s3_form_range *range;
	json_t *named; /* a set */
	struct err *e;
};

static int policy_fail(const struct policy *p, const json_t *condition)
{
	autofree char *text = json_dumps(condition, JSON_COMPACT | JSON_ENCODE_ANY);

	return err_set(p->e, ERR_DENIED, POLICY_DENIED "Policy Condition failed: %.200s", text);
}

static int policy_compare(const struct policy *p, const json_t *condition, const char *field,
			  const char *wanted, bool prefix)
{
	char name[128] = "";
	const char *value;

	for (size_t i = 0; field[i] && i + 1 < sizeof(name); i++)
		name[i] = (char)(field[i] >= 'A' && field[i] <= 'Z' ? field[i] + 32 : field[i]);
	value = !strcmp(name, "bucket") ? p->bucket
		: !strcmp(name, "key")  ? p->key
					: policy_field(p->f, name);
	json_object_set_new(p->named, name, json_true());
	if (prefix ? strncmp(value, wanted, strlen(wanted)) : strcmp(value, wanted))
		return policy_fail(p, condition);
	return 0;
}

static int policy_malformed(const struct policy *p)
{
	return err_set(p->e, ERR_INVALID,
		       "InvalidPolicyDocument: The policy of the form is "
		       "malformed.");
}

/* ["eq", "$acl", "private"], ["starts-with", "$key", "x"], ["content-length-range", 1, 100] */
static int policy_list(const struct policy *p, const json_t *list)
{
	const char *how = json_string_value(json_array_get(list, 0));
	const char *name = json_string_value(json_array_get(list, 1));
	const char *value = json_string_value(json_array_get(list, 2));
	json_int_t least = json_integer_value(json_array_get(list, 1));
	json_int_t most = json_integer_value(json_array_get(list, 2));

	if (!how || json_array_size(list) != 3)
		return policy_malformed(p);
	if (!strcasecmp(how, "content-length-range")) {
		if (!json_is_integer(json_array_get(list, 2)) || least < 0 || most < least)
			return policy_malformed(p);
		if ((uint64_t)least > p->range->least)
			p->range->least = (uint64_t)least;
		if ((uint64_t)most < p->range->most)
			p->range->most = (uint64_t)most;
		return 0;
	}
	if (!name || *name != '$' || !value ||
	    (strcasecmp(how, "eq") != 0 && strcasecmp(how, "starts-with") != 0))
		return policy_malformed(p);
	return policy_compare(p, list, name + 1, value, !strcasecmp(how, "starts-with"));
}

static int policy_condition(const struct policy *p, json_t *condition)
{
	const char *name;
	json_t *value;

	if (json_is_array(condition))
		return policy_list(p, condition);
	if (!json_object_size(condition))
		return policy_malformed(p);
	json_object_foreach(condition, name, value)
	{
		if (!json_is_string(value))
			return policy_malformed(p);
		if (policy_compare(p, condition, name, json_string_value(value), false))
			return -1;
	}
	return 0;
}

/* A field that the policy does not name could change what its signer meant. */
static int policy_extra(const struct policy *p)
{
	static const char *const free_ones[] = { "awsaccesskeyid", "signature", "x-amz-signature",
						 "policy", "file" };
	const struct s3_form *f = p->f;

	for (size_t i = 0; i < f->n; i++) {
		const char *name = (const char *)f->text.data + f->fields[i].name;
		bool named = json_object_get(p->named, name) || !strncmp(name, "x-ignore-", 9);

		for (size_t k = 0; k < ARRAY_SIZE(free_ones); k++)
			named = named || !strcmp(name, free_ones[k]);
		if (!named)
			return err_set(p->e, ERR_DENIED, POLICY_DENIED "Extra input fields: %.100s",
				       name);
		for (size_t k = 0; k < i; k++)
			if (!strcmp((const char *)f->text.data + f->fields[k].name, name))
				return err_set(p->e, ERR_INVALID,
					       "InvalidRequest: The form has the field '%.100s' "
					       "twice.",
					       name);
	}
	return json_object_get(p->named, "bucket") && json_object_get(p->named, "key")
		       ? 0
		       : err_set(p->e, ERR_DENIED,
				 POLICY_DENIED "it does not say which bucket and key it allows.");
}

int s3_form_judge(const struct s3_form *f, const char *bucket, const char *key, int64_t now_ms,
		  struct s3_form_range *range, struct err *e)
{
	json_t *doc = policy_read(policy_field(f, "policy"));
	const json_t *list = json_object_get(doc, "conditions");
	int64_t until = policy_time(json_string_value(json_object_get(doc, "expiration")));
	struct policy p = { f, bucket, key, range, json_object(), e };
	json_t *each;
	size_t i;
	int rc = 0;

	*range = (struct s3_form_range){ 0, LIMIT_S3_OBJECT };
	if (until < 0 || !json_is_array(list))
		rc = policy_malformed(&p);
	else if (now_ms >= until)
		rc = err_set(e, ERR_DENIED, POLICY_DENIED "Policy expired.");
	json_array_foreach((json_t *)(uintptr_t)list, i, each)
	{
		if (!rc)
			rc = policy_condition(&p, each);
	}
	if (!rc)
		rc = policy_extra(&p);
	json_decref(p.named);
	json_decref(doc);
	return rc;
}
