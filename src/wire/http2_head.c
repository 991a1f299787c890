#include "wire/http2_head.h"

#include <string.h>
#include <strings.h>

#include "wire/http1_head.h"

#define HTTP2_PROTOCOL    ":protocol"
#define HTTP2_FIELD_EXTRA 32 /* what RFC 9113 6.5.2 counts beside a field's bytes */

/* What a request says about itself in fields that begin with a colon. */
struct http2_pseudo {
	const char *method, *scheme, *path, *authority, *protocol;
};

static const struct {
	const char *name;
	size_t at;
} http2_pseudos[] = {
	{ ":method", offsetof(struct http2_pseudo, method) },
	{ ":scheme", offsetof(struct http2_pseudo, scheme) },
	{ ":path", offsetof(struct http2_pseudo, path) },
	{ ":authority", offsetof(struct http2_pseudo, authority) },
	{ HTTP2_PROTOCOL, offsetof(struct http2_pseudo, protocol) },
};

/* They belong to a connection of HTTP/1.1 (RFC 9113 8.2.2). */
static const char *const http2_forbidden[] = {
	"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
};

bool http2_add_field(struct http2_fields *f, const uint8_t *name, size_t name_size,
		     const uint8_t *value, size_t value_size)
{
	f->size += name_size + value_size + HTTP2_FIELD_EXTRA;
	f->n++;
	f->protocol |=
		name_size == sizeof(HTTP2_PROTOCOL) - 1 && !memcmp(name, HTTP2_PROTOCOL, name_size);
	f->over = f->over || f->size > LIMIT_HTTP_HEAD ||
		  f->n > LIMIT_HTTP_HEADERS + ARRAY_SIZE(http2_pseudos);
	if (memchr(name, '\0', name_size) || memchr(value, '\0', value_size))
		return false;
	if (f->over)
		return true;
	buf_reserve(&f->text, name_size + value_size + 2);
	buf_add(&f->text, name, name_size);
	buf_add(&f->text, "", 1);
	buf_add(&f->text, value, value_size);
	buf_add(&f->text, "", 1);
	return true;
}

static unsigned http2_refuse(unsigned status, const char **why, const char *text)
{
	*why = text;
	return status;
}

static unsigned http2_pseudo(struct http2_pseudo *p, const char *name, const char *value,
			     const char **why)
{
	for (size_t i = 0; i < ARRAY_SIZE(http2_pseudos); i++) {
		const char **at = (const char **)(void *)((char *)p + http2_pseudos[i].at);

		if (name[1] != http2_pseudos[i].name[1] || strcmp(name, http2_pseudos[i].name) != 0)
			continue;
		if (*at)
			return http2_refuse(400, why, "a pseudo-header comes twice");
		*at = value;
		return 0;
	}
	return http2_refuse(400, why, "an unknown pseudo-header");
}

static bool http2_is_name(const char *name)
{
	size_t size = strlen(name);

	for (size_t i = 0; i < size; i++)
		if (name[i] >= 'A' && name[i] <= 'Z')
			return false;
	return http1_is_token(name, size);
}

static unsigned http2_field(struct http_head *h, const char *name, const char *value,
			    const char **why)
{
	if (!http2_is_name(name))
		return http2_refuse(400, why, "a header name that is no token");
	for (size_t i = 0; i < ARRAY_SIZE(http2_forbidden); i++)
		if (http_name_is(name, http2_forbidden[i]))
			return http2_refuse(400, why, "a header of a connection of HTTP/1.1");
	if (http_name_is(name, "te") && strcasecmp(value, "trailers") != 0)
		return http2_refuse(400, why, "te says something else than trailers");
	if (h->n_headers == LIMIT_HTTP_HEADERS)
		return http2_refuse(431, why, "too many headers");
	h->headers[h->n_headers++] = (struct http_header){ name, value };
	return 0;
}

/* Sort the fields; values lose the space around them. */
static unsigned http2_fields(struct http_head *h, struct http2_pseudo *p, const char **why)
{
	char *at = (char *)h->text.data, *end = at + h->text.size;
	unsigned status = 0;

	while (at != end && !status) {
		char *name = at, *value = at + strlen(at) + 1;
		size_t n = strlen(value);

		at = value + n + 1;
		if (!http1_is_value(value, n))
			return http2_refuse(400, why, "a control character in a header");
		for (; *value == ' ' || *value == '\t'; n--)
			value++;
		while (n && (value[n - 1] == ' ' || value[n - 1] == '\t'))
			value[--n] = '\0';
		status = *name == ':' ? http2_pseudo(p, name, value, why)
				      : http2_field(h, name, value, why);
	}
	return status;
}

static unsigned http2_method(struct http_head *h, const struct http2_pseudo *p, bool ended,
			     const char **why)
{
	const char *method = p->method ? p->method : "";

	if (!http1_is_token(method, strlen(method)))
		return http2_refuse(400, why, "the method is no token");
	if (p->protocol && strcmp(method, "CONNECT") != 0)
		return http2_refuse(400, why, ":protocol belongs to a CONNECT");
	if (p->protocol && strcmp(p->protocol, "websocket") != 0)
		return http2_refuse(501, why, "this protocol is not served");
	if (p->protocol && ended)
		return http2_refuse(400, why, "a tunnel that ends before it begins");
	if (p->protocol)
		method = "GET";
	if (strlen(method) >= sizeof(h->method) || !strcmp(method, "CONNECT"))
		return http2_refuse(501, why, "this method is not served");
	memcpy(h->method, method, strlen(method) + 1);
	return 0;
}

static unsigned http2_target(struct http_head *h, const struct http2_pseudo *p, const char **why)
{
	const char *path = p->path ? p->path : "";

	if (!p->scheme || (strcmp(p->scheme, "https") != 0 && strcmp(p->scheme, "http") != 0))
		return http2_refuse(400, why, "an unknown scheme");
	if (strlen(path) > LIMIT_HTTP_TARGET)
		return http2_refuse(414, why, "the request target is too long");
	for (const char *s = path; *s; s++)
		if (*s <= 0x20 || *s >= 0x7f || *s == '#')
			return http2_refuse(400, why, "a request target with a wrong byte");
	if (*path != '/' && (strcmp(path, "*") != 0 || strcmp(h->method, "OPTIONS") != 0))
		return http2_refuse(400, why, "a request target of an unknown form");
	h->target = path;
	return 0;
}

static unsigned http2_host(struct http_head *h, const struct http2_pseudo *p, const char **why)
{
	const char *field = http_header(h, "host"), *host = p->authority ? p->authority : field;
	size_t size;
	char *lower;

	if (!host || http_header_count(h, "host") > 1)
		return http2_refuse(400, why, "a request needs one host");
	size = strlen(host);
	if (!http1_is_authority(host, size))
		return http2_refuse(400, why, "the host is no host");
	if (field && strcasecmp(field, host) != 0)
		return http2_refuse(400, why, "the Host header disagrees with :authority");
	/* Room was reserved, so the pointers into the text stay valid. */
	lower = (char *)h->text.data + h->text.size;
	for (size_t i = 0; i <= size; i++)
		lower[i] = host[i] >= 'A' && host[i] <= 'Z' ? (char)(host[i] - 'A' + 'a') : host[i];
	h->text.size += size + 1;
	h->host = lower;
	return 0;
}

/* A client may send each cookie in a field of its own (RFC 9113 8.2.3). */
static void http2_join_cookies(struct http_head *h)
{
	char *joined = (char *)h->text.data + h->text.size, *end = joined;
	size_t kept = 0, first = SIZE_MAX;

	for (size_t i = 0; i < h->n_headers; i++) {
		const char *value = h->headers[i].value;
		size_t n;

		if (!http_name_is(h->headers[i].name, "cookie")) {
			h->headers[kept++] = h->headers[i];
			continue;
		}
		n = strlen(value);
		if (first == SIZE_MAX) {
			first = kept;
			h->headers[kept++] = (struct http_header){ "cookie", joined };
		} else {
			memcpy(end, "; ", 2);
			end += 2;
		}
		memcpy(end, value, n);
		end += n;
	}
	*end++ = '\0';
	h->text.size += (size_t)(end - joined);
	h->n_headers = kept;
}

static unsigned http2_length(struct http_head *h, const struct http2_pseudo *p, bool ended,
			     const char **why)
{
	const char *text = http_header(h, "content-length"), *expect = http_header(h, "expect");
	int64_t length = text ? http1_number(text, strlen(text)) : -1;

	if (text && (length < 0 || http_header_count(h, "content-length") > 1))
		return http2_refuse(400, why, "content-length is not one number");
	if ((ended && length > 0) || (p->protocol && text))
		return http2_refuse(400, why, "the length of a body that does not come");
	h->length = length;
	h->chunked = !ended && length < 0 && !p->protocol;
	if (expect &&
	    (http_header_count(h, "expect") > 1 || strcasecmp(expect, "100-continue") != 0))
		return http2_refuse(417, why, "an unknown expectation");
	h->expect_continue = expect && !ended && !p->protocol;
	return 0;
}

static unsigned http2_upgrade(struct http_head *h, const char *key, const char **why)
{
	if (http_header(h, "sec-websocket-key"))
		return http2_refuse(400, why, "a Sec-WebSocket-Key without HTTP/1.1");
	if (h->n_headers + 3 > LIMIT_HTTP_HEADERS)
		return http2_refuse(431, why, "too many headers");
	h->headers[h->n_headers++] = (struct http_header){ "connection", "upgrade" };
	h->headers[h->n_headers++] = (struct http_header){ "upgrade", "websocket" };
	h->headers[h->n_headers++] = (struct http_header){ "sec-websocket-key", key };
	h->upgrade = true;
	return 0;
}

unsigned http2_head_parse(struct http_head *h, struct http2_fields *f, bool ended, const char *key,
			  const char **why)
{
	struct http2_pseudo p = { 0 };
	unsigned status;

	http_head_clear(h);
	h->request = h->keep_alive = true;
	h->minor = 1;
	h->length = -1;
	h->text = f->text;
	f->text = (struct buf){ 0 };
	if (f->over)
		return http2_refuse(431, why, "the head is too long");
	/* For the host and the cookies once more; "; " takes no more room than a field's NULs and
	 * its name. */
	buf_reserve(&h->text, h->text.size * 2 + 2);
	status = http2_fields(h, &p, why);
	if (!status)
		status = http2_method(h, &p, ended, why);
	if (!status)
		status = http2_target(h, &p, why);
	if (!status)
		status = http2_host(h, &p, why);
	if (!status)
		status = http2_length(h, &p, ended, why);
	if (!status && p.protocol)
		status = http2_upgrade(h, key, why);
	if (!status)
		http2_join_cookies(h);
	return status;
}
