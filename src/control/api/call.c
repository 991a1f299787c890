/* call.c - answers and errors as the service words them (service.md 2.3, 2.5). */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/log.h"
#include "control/api/call.h"

struct fault {
	unsigned status;
	const char *type;
};

static const struct fault faults[ERR_NUM_KINDS] = {
	[ERR_INTERNAL] = { 500, "InternalServerException" },
	[ERR_INVALID] = { 400, "ValidationException" },
	[ERR_NOT_FOUND] = { 404, "ResourceNotFoundException" },
	[ERR_CONFLICT] = { 409, "ConflictException" },
	[ERR_DENIED] = { 403, "AccessDeniedException" },
	[ERR_QUOTA] = { 402, "ServiceQuotaExceededException" },
	[ERR_THROTTLED] = { 429, "ThrottlingException" },
	[ERR_CAPACITY] = { 500, "InsufficientCapacityException" },
	[ERR_UNAVAILABLE] = { 503, "ServiceUnavailableException" },
};

/* Where a family has errors of its own. */
static const struct fault family_faults[NUM_FAMILIES][ERR_NUM_KINDS] = {
	[FAMILY_TAGS] = {
		[ERR_CONFLICT] = { 409, "ResourceConflictException" },
		[ERR_CAPACITY] = { 500, "InternalServerException" },
	},
	[FAMILY_CORE] = {
		[ERR_INTERNAL] = { 500, "ServiceException" },
		[ERR_INVALID] = { 400, "InvalidParameterValueException" },
		[ERR_CONFLICT] = { 409, "ResourceConflictException" },
		[ERR_QUOTA] = { 400, "NetworkConnectorLimitExceededException" },
		[ERR_THROTTLED] = { 429, "TooManyRequestsException" },
		[ERR_CAPACITY] = { 500, "ServiceException" },
	},
	[FAMILY_LOGS] = {
		[ERR_INVALID] = { 400, "InvalidParameterException" },
		[ERR_NOT_FOUND] = { 400, "ResourceNotFoundException" },
		[ERR_CONFLICT] = { 400, "ResourceAlreadyExistsException" },
		[ERR_QUOTA] = { 400, "LimitExceededException" },
		[ERR_THROTTLED] = { 400, "ThrottlingException" },
	},
};

static const struct fault *fault_of(const struct call *c, enum err_kind kind)
{
	const struct fault *own = c->op ? &family_faults[c->op->family][kind] : NULL;

	assert(faults[kind].type);
	return own && own->type ? own : &faults[kind];
}

#define CALL_RETRY_AFTER_S 1 /* of what does not answer now */

/* These members stand beside the message of an error; the service leaves them null, and so do we.
 */
static const struct {
	const char *type;
	const char *members[4];
} extras[] = {
	{ "ResourceNotFoundException", { "resourceId", "resourceType" } },
	{ "ConflictException", { "resourceId", "resourceType" } },
	{ "ServiceQuotaExceededException",
	  { "resourceId", "resourceType", "serviceCode", "quotaCode" } },
	{ "ThrottlingException", { "serviceCode", "quotaCode" } },
};

static void call_free(struct call *c)
{
	json_decref(c->in);
	json_decref(c->made);
	buf_free(&c->body);
	op_segments_free(&c->segments);
	EVP_MD_CTX_free(c->hash);
	key_unref(c->key);
	free(c);
}

/* Every answer leaves here. */
void call_answer_bytes(struct call *c, unsigned status, const struct http_header *headers, size_t n,
		       const void *data, size_t size)
{
	struct http_header all[8] = { { "x-amzn-requestid", c->id } };

	assert(!c->answered && n < ARRAY_SIZE(all));
	if (n)
		memcpy(all + 1, headers, n * sizeof(*headers));
	c->answered = true;
	if (c->audit)
		c->audit(c);
	log_debug("answer op=%s status=%u id=%s", c->op ? c->op->name : "none", status, c->id);
	if (c->x)
		http_answer(c->x, status, all, n + 1, data, size);
	else
		call_free(c);
}

void call_exchange_done(struct call *c)
{
	c->x = NULL;
	if (c->answered)
		call_free(c);
	else if (c->gone)
		c->gone(c);
}

static const char *call_type(const struct call *c)
{
	return c->op && c->op->family == FAMILY_LOGS ? "application/x-amz-json-1.1"
						     : "application/json";
}

void call_answer(struct call *c, json_t *answer)
{
	/* 13 digits hold the seconds since 1970 with their milliseconds. */
	autofree char *text =
		answer ? json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(13)) : NULL;
	struct http_header type = { "content-type", call_type(c) };

	c->end = (struct call_end){ .answer = answer, .status = c->op->status };
	if (c->ended)
		c->ended(c, &c->end);
	call_answer_bytes(c, c->op->status, &type, text ? 1 : 0, text, text ? strlen(text) : 0);
	json_decref(answer);
}

static json_t *fail_body(const struct call *c, const char *type, const char *text)
{
	/* The service writes "Message" in the errors of its JSON layer, and in some of Lambda Core,
	 * which has no null members. */
	static const char *const capitals[] = { "SerializationException",
						"UnknownOperationException" };
	static const char *const core_capitals[] = { "ResourceNotFoundException",
						     "ServiceException" };
	bool core = c->op && c->op->family == FAMILY_CORE, capital = false;
	json_t *body;

	if (c->op && c->op->family == FAMILY_LOGS)
		return json_pack("{s:s,s:s}", "__type", type, "message", text);

	for (size_t i = 0; i < ARRAY_SIZE(capitals); i++)
		capital |= !strcmp(type, capitals[i]) || (core && !strcmp(type, core_capitals[i]));
	body = json_pack("{s:s}", capital ? "Message" : "message", text);
	if (core && !strcmp(type, "TooManyRequestsException"))
		json_object_set_new(body, "Reason", json_string("CallerRateLimitExceeded"));
	for (size_t i = 0; !core && i < ARRAY_SIZE(extras); i++)
		for (size_t j = 0; !strcmp(extras[i].type, type) && j < 4 && extras[i].members[j];
		     j++)
			json_object_set_new(body, extras[i].members[j], json_null());
	return body;
}

void call_fail_as(struct call *c, unsigned status, const char *type, const char *text)
{
	char retry[24];
	const struct http_header headers[] = { { "content-type", call_type(c) },
					       { "x-amzn-errortype", type },
					       { "retry-after", retry } };
	bool again = status == 503 || status == 429;
	size_t n = again ? ARRAY_SIZE(headers) : ARRAY_SIZE(headers) - 1;
	autofree char *dump = NULL;
	json_t *body;

	snprintf(retry, sizeof(retry), "%lld",
		 (long long)(c->retry_after_s ? c->retry_after_s : CALL_RETRY_AFTER_S));
	if (status >= 500)
		log_warn("request failed op=%s type=%s id=%s: %s", c->op ? c->op->name : "none",
			 type, c->id, text);
	c->end = (struct call_end){ .status = status, .type = type, .text = text };
	if (c->ended)
		c->ended(c, &c->end);
	if (c->fail) {
		c->fail(c, status, type, text);
		return;
	}
	body = fail_body(c, type, text);
	dump = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	call_answer_bytes(c, status, headers, n, dump, dump ? strlen(dump) : 0);
}

void call_fail(struct call *c, const struct err *e)
{
	const struct fault *f = fault_of(c, e->kind);

	call_fail_as(c, f->status, f->type, e->text);
}

static void printf_like(3, 0)
	call_fail_text(struct call *c, enum err_kind kind, const char *fmt, va_list args)
{
	const struct fault *f = fault_of(c, kind);
	char text[4096];

	vsnprintf(text, sizeof(text), fmt, args);
	call_fail_as(c, f->status, f->type, text);
}

void call_invalid(struct call *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	call_fail_text(c, ERR_INVALID, fmt, args);
	va_end(args);
}

void call_not_found(struct call *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	call_fail_text(c, ERR_NOT_FOUND, fmt, args);
	va_end(args);
}

void call_done(void *arg, int rc, const struct err *e)
{
	struct call *c = arg;

	if (rc)
		call_fail(c, e);
	else
		call_answer(c, json_incref(c->made));
}

const char *call_text(const struct call *c, const char *member)
{
	return json_string_value(json_object_get(c->in, member));
}

int64_t call_number(const struct call *c, const char *member, int64_t fallback)
{
	const json_t *value = json_object_get(c->in, member);

	return json_is_integer(value) ? json_integer_value(value) : fallback;
}
