/* answer.c - the answers of S3: faults with their codes, documents, and the XML of both. */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "objects/request.h"

#define XML_HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

/* clang-format off */
static const struct { const char *code; unsigned status; const char *text; } faults[] = {
	[FAULT_ACCESS_DENIED]      = { "AccessDenied", 403, "Access Denied" },
	[FAULT_BAD_DIGEST]         = { "BadDigest", 400, "A digest did not match what we received." },
	[FAULT_BUCKET_EXISTS]      = { "BucketAlreadyOwnedByYou", 409, "Your previous request to create the named bucket succeeded and you already own it." },
	[FAULT_BUCKET_TAKEN]       = { "BucketAlreadyExists", 409, "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again." },
	[FAULT_BUCKET_NOT_EMPTY]   = { "BucketNotEmpty", 409, "The bucket you tried to delete is not empty" },
	[FAULT_BUSY]               = { "OperationAborted", 409, "A conflicting conditional operation is currently in progress against this resource. Try again." },
	[FAULT_INTERNAL]           = { "InternalError", 500, "We encountered an internal error. Please try again." },
	[FAULT_INVALID_ARGUMENT]   = { "InvalidArgument", 400, "Invalid Argument" },
	[FAULT_INVALID_BUCKET]     = { "InvalidBucketName", 400, "The specified bucket is not valid." },
	[FAULT_INVALID_PART]       = { "InvalidPart", 400, "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag." },
	[FAULT_INVALID_PART_ORDER] = { "InvalidPartOrder", 400, "The list of parts was not in ascending order. Parts must be ordered by part number." },
	[FAULT_INVALID_RANGE]      = { "InvalidRange", 416, "The requested range is not satisfiable" },
	[FAULT_INVALID_REQUEST]    = { "InvalidRequest", 400, "The request is not valid." },
	[FAULT_KEY_TOO_LONG]       = { "KeyTooLongError", 400, "Your key is too long" },
	[FAULT_MALFORMED_XML]      = { "MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema" },
	[FAULT_METHOD]             = { "MethodNotAllowed", 405, "The specified method is not allowed against this resource." },
	[FAULT_MISSING_LENGTH]     = { "MissingContentLength", 411, "You must provide the Content-Length HTTP header." },
	[FAULT_NO_BUCKET]          = { "NoSuchBucket", 404, "The specified bucket does not exist" },
	[FAULT_NO_KEY]             = { "NoSuchKey", 404, "The specified key does not exist." },
	[FAULT_NO_SPACE]           = { "InsufficientStorage", 507, "The disk of the data directory is full." },
	[FAULT_NO_TAGS]            = { "NoSuchTagSet", 404, "The TagSet does not exist" },
	[FAULT_NO_UPLOAD]          = { "NoSuchUpload", 404, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed." },
	[FAULT_NOT_IMPLEMENTED]    = { "NotImplemented", 501, "A header or query you provided implies functionality that is not implemented" },
	[FAULT_PRECONDITION]       = { "PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold" },
	[FAULT_SLOW_DOWN]          = { "SlowDown", 503, "Too many requests without a right signature came from this address; correct the key pair, and try again in a minute." },
	[FAULT_TOO_LARGE]          = { "EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size" },
};
static_assert(ARRAY_SIZE(faults) == FAULT_NUM, "a fault without its row");

/* The checks of the signature and of the body begin their text with one of these codes. */
static const struct { const char *prefix, *code; unsigned status; } checks[] = {
	{ "InvalidClientTokenId", "InvalidAccessKeyId", 403 },
	{ "ExpiredToken", "ExpiredToken", 400 },
	{ "ServiceUnavailable", "ServiceUnavailable", 503 },
	{ "MissingAuthenticationToken", "AccessDenied", 403 },
	{ "IncompleteSignature", "AuthorizationHeaderMalformed", 400 },
	{ "SignatureDoesNotMatch", "SignatureDoesNotMatch", 403 },
	{ "RequestTimeTooSkewed", "RequestTimeTooSkewed", 403 },
	{ "AccessDenied", "AccessDenied", 403 },
	{ "XAmzContentSHA256Mismatch", "XAmzContentSHA256Mismatch", 400 },
	{ "MissingContentLength", "MissingContentLength", 411 },
	{ "NotImplemented", "NotImplemented", 501 },
	{ "InvalidDigest", "InvalidDigest", 400 },
	{ "BadDigest", "BadDigest", 400 },
	{ "InvalidRequest", "InvalidRequest", 400 },
	{ "EntityTooLarge", "EntityTooLarge", 400 },
	{ "IncompleteBody", "IncompleteBody", 400 },
	{ "MalformedTrailerError", "MalformedTrailerError", 400 },
	{ "MalformedPOSTRequest", "MalformedPOSTRequest", 400 },
	{ "InvalidPolicyDocument", "InvalidPolicyDocument", 400 },
	{ "EntityTooSmall", "EntityTooSmall", 400 },
	{ "InvalidArgument", "InvalidArgument", 400 },
};
/* clang-format on */

void xml_begin(struct buf *b, const char *element)
{
	buf_addf(b, XML_HEAD "<%s xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">", element);
}

void xml_time(struct buf *b, const char *element, int64_t at_ms)
{
	time_t at = (time_t)(at_ms / 1000);
	char text[32];
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_addf(b, "<%s>%s.%03dZ</%s>", element, text, (int)(at_ms % 1000), element);
}

void xml_etag(struct buf *b, const char *etag)
{
	buf_addf(b, "<ETag>&quot;%s&quot;</ETag>", etag);
}

void xml_owner(struct buf *b, const struct request *r, const char *element)
{
	buf_addf(b, "<%s><ID>%s</ID><DisplayName>doze</DisplayName></%s>", element,
		 r->signer->who.account, element);
}

/* @body NULL: there is no body, and so no content type. */
static void answer_send(struct request *r, unsigned status, const struct http_header *headers,
			size_t n, const struct buf *body)
{
	struct http_header all[40];
	size_t k = 0;

	if (r->phase == REQUEST_ANSWERED)
		return;
	r->phase = REQUEST_ANSWERED;
	if (!r->x)
		return;
	all[k++] = (struct http_header){ "x-amz-request-id", r->id };
	all[k++] = (struct http_header){ "server", "doze" };
	if (body)
		all[k++] = (struct http_header){ "content-type", "application/xml" };
	for (size_t i = 0; i < n && k < ARRAY_SIZE(all); i++)
		all[k++] = headers[i];
	if (status == 204 || status == 304) {
		http_send_head(r->x, status, all, k, -1);
		http_send_end(r->x);
	} else {
		http_answer(r->x, status, all, k, body ? body->data : NULL, body ? body->size : 0);
	}
}

/* @region NULL: the client is not told which one it should have signed for. */
static void answer_code(struct request *r, const char *code, unsigned status, const char *text,
			const char *region)
{
	autobuf struct buf b = { 0 };

	buf_adds(&b, XML_HEAD "<Error>");
	s3_xml_put(&b, "Code", code);
	s3_xml_put(&b, "Message", text);
	if (region)
		s3_xml_put(&b, "Region", region);
	if (r->bucket_name[0])
		s3_xml_put(&b, "BucketName", r->bucket_name);
	if (r->key[0])
		s3_xml_put(&b, "Key", r->key);
	s3_xml_put(&b, "RequestId", r->id);
	buf_adds(&b, "</Error>");
	if (r->x && r->phase != REQUEST_ANSWERED)
		log_info("refused code=%s status=%u method=%s bucket=%s", code, status,
			 http_request(r->x)->method, r->bucket_name);
	answer_send(r, status, NULL, 0, &b);
}

void answer_fault(struct request *r, enum fault fault, const char *text)
{
	answer_code(r, faults[fault].code, faults[fault].status, text ? text : faults[fault].text,
		    NULL);
}

void answer_region(struct request *r)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "The authorization header is malformed; the region '%s' is wrong; expecting '%s'",
		 r->claim.region, r->s3->region);
	answer_code(r, "AuthorizationHeaderMalformed", 403, text, r->s3->region);
}

void answer_err(struct request *r, enum fault fault, const struct err *e)
{
	if (e->kind == ERR_CAPACITY) {
		answer_fault(r, FAULT_NO_SPACE, NULL);
	} else if (fault == FAULT_INTERNAL) {
		log_err("%s", e->text);
		answer_fault(r, fault, NULL); /* the details are for the log, not for the client */
	} else {
		answer_fault(r, fault, e->text);
	}
}

void answer_signature(struct request *r, const struct err *e)
{
	const char *colon = strstr(e->text, ": ");
	size_t size = colon ? (size_t)(colon - e->text) : 0;

	for (size_t i = 0; size && i < ARRAY_SIZE(checks); i++)
		if (strlen(checks[i].prefix) == size && !strncmp(e->text, checks[i].prefix, size)) {
			answer_code(r, checks[i].code, checks[i].status, colon + 2, NULL);
			return;
		}
	answer_err(r, e->kind == ERR_DENIED ? FAULT_ACCESS_DENIED : FAULT_INTERNAL, e);
}

void answer_empty(struct request *r, unsigned status, const struct http_header *headers, size_t n)
{
	answer_send(r, status, headers, n, NULL);
}

void answer_document(struct request *r, unsigned status, const struct http_header *headers,
		     size_t n, const struct buf *b)
{
	answer_send(r, status, headers, n, b);
}

void answer_xml(struct request *r, struct buf *b)
{
	answer_send(r, 200, NULL, 0, b);
}

void answer_raw_fault(struct http_exchange *x, unsigned status, const char *why)
{
	static const struct http_header type[] = { { "content-type", "application/xml" } };
	autobuf struct buf b = { 0 };

	buf_adds(&b, XML_HEAD "<Error>");
	s3_xml_put(&b, "Code", status == 408 ? "RequestTimeout" : "BadRequest");
	s3_xml_put(&b, "Message", why);
	buf_adds(&b, "</Error>");
	http_answer(x, status, type, 1, b.data, b.size);
}
