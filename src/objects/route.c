/* route.c - from the head of a request to its bucket, key, parameters and operation. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/hex.h"
#include "objects/authorize.h"
#include "wire/sigv2.h"

/* Sub-resources of S3 that are served by no operation, or only by those that name them.  A refusal
 * is better than the answer to another question. */
static const char *const route_missing[] = {
	"accelerate",
	"acl",
	"analytics",
	"attributes",
	"cors",
	"encryption",
	"intelligent-tiering",
	"inventory",
	"legal-hold",
	"lifecycle",
	"logging",
	"metrics",
	"notification",
	"object-lock",
	"ownershipControls",
	"policy",
	"policyStatus",
	"publicAccessBlock",
	"replication",
	"requestPayment",
	"restore",
	"retention",
	"select",
	"tagging",
	"torrent",
	"versions",
	"website",
};

/* In place. */
static bool route_decode(char *text, bool query)
{
	size_t size = strlen(text);

	return percent_decode(text, size, query, text, size + 1);
}

static int route_params(struct request *r, char *query)
{
	char *save = NULL;

	for (char *p = strtok_r(query, "&", &save); p; p = strtok_r(NULL, "&", &save)) {
		char *equals = strchr(p, '=');

		if (r->n_params == REQUEST_PARAMS)
			return -1;
		if (equals)
			*equals++ = '\0';
		if (!route_decode(p, true) || (equals && !route_decode(equals, true)))
			return -1;
		r->params[r->n_params].name = p;
		r->params[r->n_params++].value = equals ? equals : "";
	}
	return 0;
}

/* The bytes before ".@domain" at the end of @host, which has @size; 0: it is not below it. */
static size_t route_below(const char *host, size_t size, const char *domain)
{
	size_t n = strlen(domain);

	if (!n || size < n + 2 || strncasecmp(host + size - n, domain, n) != 0 ||
	    host[size - n - 1] != '.')
		return 0;
	return size - n - 1;
}

/* The bucket that the host names ("apps.s3.localhost", "apps.localhost", "apps.API_NAME"); its
 * length, 0: none. */
static size_t route_host_bucket(const struct s3 *s3, const char *host)
{
	size_t size = strcspn(host, ":"), n;
	const char *dot = strstr(host, ".s3.");

	if (!strncasecmp(host, s3->api_name, size) && !s3->api_name[size])
		return 0;
	n = route_below(host, size, s3->api_name);
	if (n)
		return n;
	if (dot)
		return (size_t)(dot - host);
	if (!strncmp(host, "s3.", 3) || *host == '[')
		return 0;
	return route_below(host, size, "localhost");
}

/* Finds the bucket and the key of the request.  False: it is answered. */
static bool route_resource(struct request *r, char *path)
{
	const char *host = http_request(r->x)->host;
	size_t n = route_host_bucket(r->s3, host);
	char *bucket = NULL, *key = path + 1, *slash;

	if (!route_decode(path, false)) {
		answer_fault(r, FAULT_INVALID_ARGUMENT, "Couldn't parse the specified URI.");
		return false;
	}
	if (!n) {
		bucket = path + 1;
		slash = strchr(bucket, '/');
		key = slash ? slash + 1 : bucket + strlen(bucket);
		n = slash ? (size_t)(slash - bucket) : strlen(bucket);
	}
	snprintf(r->bucket_name, sizeof(r->bucket_name), "%.*s", (int)n, bucket ? bucket : host);
	if (n && (n >= sizeof(r->bucket_name) || !s3_bucket_valid(r->bucket_name))) {
		answer_fault(r, FAULT_INVALID_BUCKET, NULL);
		return false;
	}
	if (strlen(key) >= S3_KEY_SIZE) {
		answer_fault(r, FAULT_KEY_TOO_LONG, NULL);
		return false;
	}
	if (*key && !s3_key_valid(key, strlen(key))) {
		answer_fault(r, FAULT_INVALID_ARGUMENT, "The key is not UTF-8.");
		return false;
	}
	snprintf(r->key, sizeof(r->key), "%s", key);
	return true;
}

static bool route_parse(struct request *r)
{
	const char *target = http_request(r->x)->target;
	size_t path = strcspn(target, "?");

	r->param_text = xstrdup(target);
	if (*target != '/') {
		answer_fault(r, FAULT_INVALID_REQUEST, NULL);
		return false;
	}
	if (target[path]) {
		r->param_text[path] = '\0';
		if (route_params(r, r->param_text + path + 1)) {
			answer_fault(r, FAULT_INVALID_ARGUMENT, "The query is malformed.");
			return false;
		}
	}
	return route_resource(r, r->param_text);
}

/* A URL of Version 2 names neither a region nor a service, and its body is never signed. */
static int route_verify_v2(struct request *r, struct err *e)
{
	const struct http_head *head = http_request(r->x);
	const char *session = request_param(r, "x-amz-security-token"), *secret;
	struct sigv2_claim claim;

	if (sigv2_read(head, &claim, e))
		return -1;
	secret = request_secret(r, claim.access_key, session ? session : "", e);
	if (!secret)
		return -1;
	snprintf(r->claim.access_key, sizeof(r->claim.access_key), "%s", claim.access_key);
	snprintf(r->claim.payload, sizeof(r->claim.payload), "UNSIGNED-PAYLOAD");
	return sigv2_verify(head, &claim, secret,
			    route_host_bucket(r->s3, head->host) ? r->bucket_name : "",
			    clock_wall_ms(), e);
}

static int route_verify_v4(struct request *r, struct err *e)
{
	const struct http_head *head = http_request(r->x);
	const char *secret;

	if (sigv4_read(head, &r->claim, e))
		return -1;
	secret = request_secret(r, r->claim.access_key, r->claim.session, e);
	return secret ? sigv4_verify(head, &r->claim, secret, NULL, false, clock_wall_ms(), e) : -1;
}

static bool route_is_welcome(struct request *r)
{
	if (!http_is_penalized(r->x))
		return true;
	answer_fault(r, FAULT_SLOW_DOWN, NULL);
	return false;
}

static bool route_authenticate(struct request *r)
{
	const struct http_head *head = http_request(r->x);
	bool v2 = !http_header(head, "authorization") && sigv2_is(head->target);
	struct err e;

	if (v2 ? route_verify_v2(r, &e) : route_verify_v4(r, &e)) {
		request_penalize(r, &e);
		answer_signature(r, &e);
		return false;
	}
	if (v2)
		return true;
	if (strcmp(r->claim.service, "s3") != 0) {
		answer_fault(r, FAULT_ACCESS_DENIED,
			     "The signature is for another service than s3.");
		return false;
	}
	if (strcmp(r->claim.region, r->s3->region) != 0) {
		answer_region(r);
		return false;
	}
	return true;
}

static const struct op *route_find(const struct request *r)
{
	const struct http_head *head = http_request(r->x);

	for (size_t i = 0; i < s3_n_ops; i++) {
		const struct op *op = &s3_ops[i];

		if (!strcmp(op->method, head->method) &&
		    op->bucket == (r->bucket_name[0] != '\0') && op->key == (r->key[0] != '\0') &&
		    (!op->param || request_param(r, op->param)) &&
		    (!op->param2 || request_param(r, op->param2)) &&
		    (!op->header || http_header(head, op->header)))
			return op;
	}
	return NULL;
}

static bool route_choose(struct request *r)
{
	r->op = route_find(r);
	for (size_t i = 0; i < ARRAY_SIZE(route_missing); i++) {
		const char *name = route_missing[i];
		bool meant = r->op && r->op->param && !strcmp(r->op->param, name);

		if (request_param(r, name) && !meant) {
			answer_fault(r, FAULT_NOT_IMPLEMENTED, NULL);
			return false;
		}
	}
	if (!r->op)
		answer_fault(r, FAULT_METHOD, NULL);
	return r->op != NULL;
}

/* A form is signed by what is in it. */
static bool route_is_form(const struct request *r)
{
	const struct http_head *head = http_request(r->x);
	const char *type = http_header(head, "content-type");

	return !strcmp(head->method, "POST") && r->bucket_name[0] && !r->key[0] && !r->n_params &&
	       !http_header(head, "authorization") && type &&
	       !strncasecmp(type, "multipart/form-data", 19);
}

static char *route_copy(const char *value)
{
	return value ? xstrdup(value) : NULL;
}

bool route_request(struct request *r)
{
	if (!route_parse(r) || !route_is_welcome(r) ||
	    (!route_is_form(r) && !route_authenticate(r)) || !route_choose(r))
		return false;
	if ((r->op->body == BODY_FORM) != route_is_form(r)) {
		answer_fault(r, FAULT_METHOD, NULL);
		return false;
	}
	if (r->op->body != BODY_FORM && !authorize_request(r))
		return false;
	r->if_match = route_copy(request_header(r, "if-match"));
	r->if_none_match = route_copy(request_header(r, "if-none-match"));
	return true;
}
