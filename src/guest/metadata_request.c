#include "guest/metadata_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"
#include "guest/lease.h"

#define REQUEST_LEASE "/doze/lease"
#define REQUEST_BODY  64 /* a number */
#define REQUEST_TTL   "x-aws-ec2-metadata-token-ttl-seconds"
#define REQUEST_TOKEN "x-aws-ec2-metadata-token"

/* The value of a field, or NULL. */
static const char *request_field(const char *head, const char *name)
{
	size_t size = strlen(name);

	for (const char *at = strchr(head, '\n'); at; at = strchr(at + 1, '\n'))
		if (!strncasecmp(at + 1, name, size) && at[size + 1] == ':')
			return at + size + 2 + strspn(at + size + 2, " \t");
	return NULL;
}

static size_t request_value_size(const char *value)
{
	size_t size = strcspn(value, "\r\n");

	while (size && (value[size - 1] == ' ' || value[size - 1] == '\t'))
		size--;
	return size;
}

static bool request_is(const char *path, size_t size, const char *name)
{
	return size == strlen(name) && !memcmp(path, name, size);
}

/* "/latest/..." or "/2021-03-23/..."; NULL: another tree. */
static const char *request_behind_version(const char *path, size_t size)
{
	static const char date[] = "dddd-dd-dd";
	size_t n = 0;

	while (1 + n < size && path[1 + n] != '/')
		n++;
	if (request_is(path + 1, n, "latest"))
		return path + 1 + n;
	if (n != sizeof(date) - 1)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (date[i] == '-' ? path[1 + i] != '-' : path[1 + i] < '0' || path[1 + i] > '9')
			return NULL;
	return path + 1 + n;
}

/* Slashes at the ends say nothing, and of several in a row one counts. */
static bool request_path(struct metadata_request *r, const char *path, size_t size)
{
	size_t n = 0;

	if (!percent_decode(path, size, false, r->path, sizeof(r->path)))
		return false;
	for (const char *at = r->path; *at; at++)
		if (*at != '/' || (n && r->path[n - 1] != '/'))
			r->path[n++] = *at;
	if (n && r->path[n - 1] == '/')
		n--;
	r->path[n] = '\0';
	return true;
}

static unsigned request_seconds(struct metadata_request *r, const char *head)
{
	const char *value = request_field(head, REQUEST_TTL);
	size_t size = value ? request_value_size(value) : 0;

	if (!size || size > 5 || strspn(value, "0123456789") != size)
		return 400;
	r->seconds = strtoul(value, NULL, 10);
	return r->seconds && r->seconds <= METADATA_MOST_S ? 200 : 400;
}

static unsigned request_shown(struct metadata_request *r, const char *head)
{
	const char *value = request_field(head, REQUEST_TOKEN);

	if (!value || request_value_size(value) != METADATA_TOKEN_SIZE - 1)
		return 401;
	memcpy(r->token, value, METADATA_TOKEN_SIZE - 1);
	r->token[METADATA_TOKEN_SIZE - 1] = '\0';
	return 200;
}

/* What the first line asks for: 0, or the status that it is refused with. */
static unsigned request_line(struct metadata_request *r, const char *text)
{
	const char *path = strchr(text, ' '), *behind;
	size_t size = path ? strcspn(path + 1, " ?\r\n") : 0;
	bool put = !strncmp(text, "PUT ", 4), get = !strncmp(text, "GET ", 4);

	if (!path || *++path != '/')
		return 400;
	if (request_is(path, size, REQUEST_LEASE)) {
		r->wish = METADATA_LEASE;
		return strncmp(text, "POST ", 5) != 0 ? 405 : 0;
	}
	behind = request_behind_version(path, size);
	if (!behind)
		return 404;
	if (!request_path(r, behind, size - (size_t)(behind - path)))
		return 400;
	r->wish = strcmp(r->path, "api/token") ? METADATA_READ : METADATA_TOKEN;
	return r->wish == METADATA_TOKEN ? (put ? 0 : 405) : get ? 0 : 405;
}

/* @head holds the fields and nothing behind them.  Whoever was led here by a proxy is not the
 * application. */
static unsigned request_body(struct metadata_request *r, const char *head, const char *body,
			     size_t has)
{
	const char *length = request_field(head, "content-length");
	unsigned long size = length ? strtoul(length, NULL, 10) : 0;

	if (request_field(head, "transfer-encoding"))
		return 411;
	if (request_field(head, "x-forwarded-for"))
		return 403;
	if (size > REQUEST_BODY)
		return 413;
	if (has < size)
		return 0;
	if (r->wish == METADATA_TOKEN)
		return request_seconds(r, head);
	if (r->wish == METADATA_READ)
		return request_shown(r, head);
	r->seconds = lease_seconds(body, size);
	return 204;
}

unsigned metadata_judge(const char *text, size_t n, struct metadata_request *r)
{
	const char *end = strstr(text, "\r\n\r\n");
	autofree char *head = NULL;
	unsigned status;

	if (!end && strlen(text) < n)
		return 400; /* a NUL is no text */
	if (!end)
		return n >= METADATA_BYTES ? 431 : 0;
	status = request_line(r, text);
	if (status)
		return status;
	head = xasprintf("%.*s", (int)(end + 2 - text), text);
	return request_body(r, head, end + 4, (size_t)(text + n - (end + 4)));
}
