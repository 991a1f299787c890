/* route.c - from a request's head to its operation, and on to its end. */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "objects/request.h"

#define ROUTE_PIECE (64 * KIB)

/* Sub-resources of S3 that are not here: saying so is better than an answer to another question. */
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

const char *request_param(const struct request *r, const char *name)
{
	for (size_t i = 0; i < r->n_params; i++)
		if (!strcmp(r->params[i].name, name))
			return r->params[i].value;
	return NULL;
}

const char *request_header(const struct request *r, const char *name)
{
	return http_header(http_request(r->x), name);
}

struct bucket *request_bucket(struct request *r)
{
	struct bucket *b = store_bucket(&r->s3->store, r->bucket_name);

	if (!b)
		answer_fault(r, FAULT_NO_BUCKET, NULL);
	return b;
}

/* %XX decoded in place ('+' is a blank in a query); -1: a broken escape or a NUL. */
static int route_decode(char *text, bool query)
{
	char *to = text;

	for (; *text; text++) {
		if (*text == '%') {
			char hex[3] = { text[1], text[1] ? text[2] : '\0', '\0' };

			if (!isxdigit((unsigned char)hex[0]) || !isxdigit((unsigned char)hex[1]))
				return -1;
			*to = (char)strtoul(hex, NULL, 16);
			if (!*to++)
				return -1;
			text += 2;
		} else {
			*to++ = query && *text == '+' ? ' ' : *text;
		}
	}
	*to = '\0';
	return 0;
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
		if (route_decode(p, true) || (equals && route_decode(equals, true)))
			return -1;
		r->params[r->n_params].name = p;
		r->params[r->n_params++].value = equals ? equals : "";
	}
	return 0;
}

/* The bucket that the host names ("apps.s3.localhost", "apps.localhost"); its length, 0: none. */
static size_t route_host_bucket(const char *host)
{
	size_t size = strcspn(host, ":");
	const char *dot = NULL, *s3 = strstr(host, ".s3.");

	if (s3)
		return (size_t)(s3 - host);
	if (!strncmp(host, "s3.", 3) || *host == '[')
		return 0;
	if (size > 10 && !strncmp(host + size - 10, ".localhost", 10))
		dot = host + size - 10;
	return dot ? (size_t)(dot - host) : 0;
}

/* Bucket and key of the request.  False: answered. */
static bool route_resource(struct request *r, char *path)
{
	const char *host = http_request(r->x)->host;
	size_t n = route_host_bucket(host);
	char *bucket = NULL, *key = path + 1, *slash;

	if (route_decode(path, false)) {
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
	bool ok;

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
	ok = route_resource(r, r->param_text);
	return ok;
}

static bool route_authenticate(struct request *r)
{
	const struct http_head *head = http_request(r->x);
	const char *secret;
	struct err e;

	if (sigv4_read(head, &r->claim, &e)) {
		answer_signature(r, &e);
		return false;
	}
	secret = creds_secret(&r->s3->creds, r->claim.access_key);
	if (sigv4_verify(head, &r->claim, secret, NULL, false, clock_wall_ms(), &e)) {
		answer_signature(r, &e);
		return false;
	}
	if (strcmp(r->claim.service, "s3") != 0) {
		answer_fault(r, FAULT_ACCESS_DENIED,
			     "The signature is for another service than s3.");
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
	for (size_t i = 0; i < ARRAY_SIZE(route_missing); i++)
		if (request_param(r, route_missing[i])) {
			answer_fault(r, FAULT_NOT_IMPLEMENTED, NULL);
			return false;
		}
	r->op = route_find(r);
	if (!r->op)
		answer_fault(r, FAULT_METHOD, NULL);
	return r->op != NULL;
}

static void route_begin(struct request *r)
{
	const char *secret;
	struct bucket *b;
	struct err e;

	if (!route_parse(r) || !route_authenticate(r) || !route_choose(r))
		return;
	if (r->op->begin && r->op->begin(r))
		return;
	if (r->op->body == BODY_OBJECT) {
		b = request_bucket(r);
		if (!b)
			return;
		if (draft_begin(&r->draft, b, &e)) {
			answer_err(r, FAULT_INTERNAL, &e);
			return;
		}
	}
	secret = creds_secret(&r->s3->creds, r->claim.access_key);
	r->receive.unsummed = r->op->body == BODY_XML_UNSUMMED;
	r->receive.draft = r->op->body == BODY_OBJECT ? &r->draft : NULL;
	if (receive_begin(&r->receive, http_request(r->x), &r->claim, secret, &e))
		answer_signature(r, &e);
}

static void route_head(struct http_exchange *x)
{
	struct request *r = xcalloc(1, sizeof(*r));
	uint8_t id[8];

	rand_bytes(id, sizeof(id));
	for (size_t i = 0; i < sizeof(id); i++)
		snprintf(r->id + 2 * i, 3, "%02X", id[i]);
	r->s3 = http_server_arg(x);
	r->x = x;
	r->draft.fd = r->send.fd = r->job.source = -1;
	http_set_user(x, r);
	route_begin(r);
}

static size_t route_body(struct http_exchange *x, const uint8_t *data, size_t size)
{
	struct request *r = http_user(x);
	struct err e;

	if (!r->answered && receive_data(&r->receive, data, size, &e))
		answer_signature(r, &e);
	return size;
}

static void route_end(struct http_exchange *x)
{
	struct request *r = http_user(x);
	struct err e;

	if (r->answered)
		return;
	if (receive_end(&r->receive, &e))
		answer_signature(r, &e);
	else
		r->op->run(r);
}

/* As much of the file as the connection takes. */
static void route_writable(struct http_exchange *x)
{
	static uint8_t piece[ROUTE_PIECE];
	struct request *r = http_user(x);

	while (r->send.left) {
		size_t want = r->send.left < sizeof(piece) ? (size_t)r->send.left : sizeof(piece);
		ssize_t n = pread(r->send.fd, piece, want, (off_t)r->send.at);

		if (n <= 0) {
			log_err("an object's file is short or unreadable bucket=%s",
				r->bucket_name);
			http_abort(x);
			return;
		}
		r->send.at += (uint64_t)n;
		r->send.left -= (uint64_t)n;
		if (!http_send_body(x, piece, (size_t)n) && r->send.left)
			return;
	}
	http_send_end(x);
}

static void request_free(struct request *r)
{
	if (r->op && r->op->drop)
		r->op->drop(r);
	draft_drop(&r->draft);
	receive_free(&r->receive);
	fd_close(&r->job.source);
	free(r->job.names);
	fd_close(&r->send.fd);
	free(r->param_text);
	free(r);
}

void request_work(struct request *r, void (*done)(struct draft_job *j))
{
	r->working = true;
	r->job.draft = &r->draft;
	r->job.done = done;
	draft_start(r->s3->loop, &r->job);
}

void request_finish(struct request *r)
{
	r->working = false;
	if (!r->x)
		request_free(r);
}

static void route_done(struct http_exchange *x)
{
	struct request *r = http_user(x);

	if (!r) /* a request that was not even HTTP */
		return;
	r->x = NULL;
	if (!r->working)
		request_free(r);
}

const struct http_handler s3_handler = {
	.head = route_head,
	.body = route_body,
	.end = route_end,
	.writable = route_writable,
	.done = route_done,
	.bad = answer_raw_fault,
};
