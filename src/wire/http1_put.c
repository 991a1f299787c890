/* http1_put.c - the only place that writes messages, so that no value can break their lines. */

#include <stdio.h>
#include <string.h>

#include "wire/http1.h"
#include "wire/http1_head.h"
#include "wire/http_trailers.h"

/* clang-format off */
static const struct { unsigned status; const char *reason; } http_reasons[] = {
	{ 100, "Continue" }, { 101, "Switching Protocols" }, { 103, "Early Hints" },
	{ 200, "OK" }, { 201, "Created" }, { 202, "Accepted" }, { 204, "No Content" },
	{ 205, "Reset Content" }, { 206, "Partial Content" },
	{ 301, "Moved Permanently" }, { 302, "Found" }, { 303, "See Other" }, { 304, "Not Modified" },
	{ 307, "Temporary Redirect" }, { 308, "Permanent Redirect" },
	{ 400, "Bad Request" }, { 401, "Unauthorized" }, { 402, "Payment Required" }, { 403, "Forbidden" },
	{ 404, "Not Found" }, { 405, "Method Not Allowed" }, { 406, "Not Acceptable" },
	{ 408, "Request Timeout" }, { 409, "Conflict" }, { 410, "Gone" }, { 411, "Length Required" },
	{ 412, "Precondition Failed" }, { 413, "Content Too Large" }, { 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" }, { 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" }, { 421, "Misdirected Request" }, { 422, "Unprocessable Content" },
	{ 426, "Upgrade Required" }, { 428, "Precondition Required" }, { 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" }, { 501, "Not Implemented" }, { 502, "Bad Gateway" },
	{ 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" }, { 507, "Insufficient Storage" },
};
/* clang-format on */

const char *http_reason(unsigned status)
{
	for (size_t i = 0; i < ARRAY_SIZE(http_reasons); i++)
		if (http_reasons[i].status == status)
			return http_reasons[i].reason;
	return "Unknown";
}

void http1_put_request(struct buf *b, const char *method, const char *target)
{
	assert(http1_is_token(method, strlen(method)));
	assert(!target[strcspn(target, " \r\n")]);
	buf_adds(b, method);
	buf_adds(b, " ");
	buf_adds(b, target);
	buf_adds(b, " HTTP/1.1\r\n");
}

void http1_put_status(struct buf *b, unsigned status)
{
	http1_put_status_as(b, status, http_reason(status));
}

void http1_put_status_as(struct buf *b, unsigned status, const char *reason)
{
	assert(http1_is_value(reason, strlen(reason)));
	buf_adds(b, "HTTP/1.1 ");
	buf_add_number(b, status);
	buf_adds(b, " ");
	buf_adds(b, reason);
	buf_adds(b, "\r\n");
}

bool http1_put_header(struct buf *b, const char *name, const char *value)
{
	size_t name_size = strlen(name), value_size = strlen(value);

	if (!http1_is_token(name, name_size) || !http1_is_value(value, value_size))
		return false;
	buf_reserve(b, name_size + value_size + 4);
	buf_add(b, name, name_size);
	buf_add(b, ": ", 2);
	buf_add(b, value, value_size);
	buf_add(b, "\r\n", 2);
	return true;
}

void http1_put_length(struct buf *b, uint64_t length)
{
	buf_adds(b, "content-length: ");
	buf_add_number(b, length);
	buf_add(b, "\r\n", 2);
}

void http1_put_end(struct buf *b)
{
	buf_add(b, "\r\n", 2);
}

void http1_put_chunk(struct buf *b, const uint8_t *data, size_t size)
{
	char head[24];
	int n = snprintf(head, sizeof(head), "%zx\r\n", size);

	if (!size) /* An empty chunk would end the body. */
		return;
	buf_reserve(b, size + sizeof(head));
	buf_add(b, head, (size_t)n);
	buf_add(b, data, size);
	buf_add(b, "\r\n", 2);
}

void http1_put_last_chunk(struct buf *b)
{
	buf_adds(b, "0\r\n\r\n");
}

void http1_put_trailers(struct buf *b, const struct http_header *fields, size_t n)
{
	buf_adds(b, "0\r\n");
	for (size_t i = 0; i < n; i++)
		if (http_trailer_may_pass(fields[i].name) &&
		    !http1_put_header(b, fields[i].name, fields[i].value))
			continue;
	http1_put_end(b);
}
