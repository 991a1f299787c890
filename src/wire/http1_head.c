#include "wire/http1_head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Which characters of ASCII are in a set: two words of 64 bits. */
struct http1_set {
	uint64_t words[2];
};

/* Letters, digits, and "!#$%&'*+-.^_`|~" */
static const struct http1_set http1_tchars = { { 0x03ff6cfa00000000, 0x57ffffffc7fffffe } };
/* Letters, digits, and "-._~:[]" */
static const struct http1_set http1_host_chars = { { 0x07ff600000000000, 0x47fffffeaffffffe } };

static bool http1_in_set(const struct http1_set *set, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		uint8_t c = (uint8_t)text[i];

		if (c >= 128 || !(set->words[c >> 6] >> (c & 63) & 1))
			return false;
	}
	return size > 0;
}

bool http1_is_token(const char *text, size_t size)
{
	return http1_in_set(&http1_tchars, text, size);
}

static bool http1_is_control(char c)
{
	return ((uint8_t)c < 0x20 && c != '\t') || c == 0x7f;
}

/* Sixteen bytes at once, because a token makes values long. */
typedef uint8_t http1_lanes __attribute__((vector_size(16)));

bool http1_is_value(const char *text, size_t size)
{
	const char *end = text + size;
	http1_lanes bytes, found = { 0 };
	uint64_t words[2];

	for (; end - text >= (ptrdiff_t)sizeof(bytes); text += sizeof(bytes)) {
		memcpy(&bytes, text, sizeof(bytes));
		found |= (http1_lanes)(((bytes < 0x20) & (bytes != '\t')) | (bytes == 0x7f));
	}
	memcpy(words, &found, sizeof(words));
	if (words[0] | words[1])
		return false;
	for (; text < end; text++)
		if (http1_is_control(*text))
			return false;
	return true;
}

static char http1_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static unsigned http1_refuse(unsigned status, const char **why, const char *text)
{
	*why = text;
	return status;
}

bool http1_is_authority(const char *text, size_t size)
{
	return http1_in_set(&http1_host_chars, text, size);
}

/* Turn an absolute-form target into origin-form.  *authority gets the host that it named. */
static unsigned http1_target(struct http_head *h, char *target, const char **authority,
			     size_t *authority_size, const char **why)
{
	char *path;

	if (strlen(target) > LIMIT_HTTP_TARGET)
		return http1_refuse(414, why, "the request target is too long");
	for (const char *s = target; *s; s++)
		if (*s <= 0x20 || *s >= 0x7f || *s == '#')
			return http1_refuse(400, why, "a request target with a wrong byte");
	h->target = target;
	if (*target == '/' || (!strcmp(target, "*") && !strcmp(h->method, "OPTIONS")))
		return 0;
	if (strncasecmp(target, "http://", 7) != 0 && strncasecmp(target, "https://", 8) != 0)
		return http1_refuse(400, why, "a request target of an unknown form");
	*authority = strchr(target, ':') + 3;
	*authority_size = strcspn(*authority, "/?");
	path = target + (*authority - target) + *authority_size;
	if (*path == '?')
		return http1_refuse(400, why, "an absolute target without a path");
	h->target = *path ? path : "/";
	return 0;
}

static unsigned http1_version(struct http_head *h, const char *text, const char **why)
{
	if (strncmp(text, "HTTP/", 5) != 0)
		return http1_refuse(400, why, "the first line does not name HTTP");
	if (strcmp(text, "HTTP/1.0") != 0 && strcmp(text, "HTTP/1.1") != 0)
		return http1_refuse(505, why, "only HTTP/1.0 and HTTP/1.1 are spoken here");
	h->minor = (unsigned)(text[7] - '0');
	return 0;
}

static unsigned http1_request_line(struct http_head *h, char *line, const char **authority,
				   size_t *authority_size, const char **why)
{
	char *target = strchr(line, ' '), *version = target ? strchr(target + 1, ' ') : NULL;
	unsigned status;

	if (!version || strchr(version + 1, ' '))
		return http1_refuse(400, why, "the request line has not three parts");
	*target++ = '\0';
	*version++ = '\0';
	if (!http1_is_token(line, strlen(line)))
		return http1_refuse(400, why, "the method is no token");
	if (strlen(line) >= sizeof(h->method) || !strcmp(line, "CONNECT"))
		return http1_refuse(501, why, "this method is not served");
	memcpy(h->method, line, strlen(line) + 1);
	status = http1_version(h, version, why);
	return status ? status : http1_target(h, target, authority, authority_size, why);
}

/* A later minor version may be read as the latest that the reader knows (RFC 9110 2.5). */
static unsigned http1_status_line(struct http_head *h, char *line, const char **why)
{
	if (strncmp(line, "HTTP/", 5) != 0)
		return http1_refuse(400, why, "the answer does not begin as HTTP does");
	if (strlen(line) < 12 || line[8] != ' ' || (line[12] && line[12] != ' '))
		return http1_refuse(400, why, "the status line is broken");
	for (int i = 9; i < 12; i++)
		if (line[i] < '0' || line[i] > '9')
			return http1_refuse(400, why, "the status is no number");
	h->status = (unsigned)((line[9] - '0') * 100 + (line[10] - '0') * 10 + line[11] - '0');
	if (h->status < 100)
		return http1_refuse(400, why, "the status is out of range");
	if (strncmp(line, "HTTP/1.", 7) != 0 || line[7] < '0' || line[7] > '9')
		return http1_refuse(505, why, "only HTTP/1.0 and HTTP/1.1 are spoken here");
	h->minor = line[7] != '0';
	h->reason = line[12] && http1_is_value(line + 13, strlen(line + 13)) ? line + 13 : "";
	return 0;
}

static char *http1_trim(char *text, char *end)
{
	while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	return end;
}

/* The fields that say what the bytes after the head are must not leave a doubt. */
static bool http1_is_framing(const char *name)
{
	static const char *const names[] = { "content-length", "transfer-encoding", "connection",
					     "upgrade" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (http_name_is(name, names[i]))
			return true;
	return false;
}

static bool http1_mend_value(const struct http_head *h, const char *name, char *value, size_t size)
{
	if (http1_is_value(value, size))
		return true;
	if (h->request || http1_is_framing(name))
		return false;
	for (char *s = value; *s; s++)
		if (http1_is_control(*s))
			*s = ' ';
	return true;
}

/* Of an answer, a field that cannot be written again is left out: it means nothing to anybody. */
static bool http1_is_left_out(const struct http_head *h, const char *line, size_t size)
{
	if (h->request || !size || http1_is_token(line, size))
		return false;
	for (size_t i = 0; i < size; i++)
		if ((uint8_t)line[i] <= 0x20 || line[i] == 0x7f)
			return false;
	return true;
}

static unsigned http1_field(struct http_head *h, char *line, char *line_end, const char **why)
{
	char *colon = strchr(line, ':'), *end = colon, *value;
	size_t size;

	if (*line == ' ' || *line == '\t')
		return http1_refuse(400, why, "a folded header line");
	if (!colon)
		return http1_refuse(400, why, "a header line without a colon");
	if (!h->request)
		end = http1_trim(line, colon);
	if (http1_is_left_out(h, line, (size_t)(end - line)))
		return 0;
	if (!http1_is_token(line, (size_t)(end - line)))
		return http1_refuse(400, why, "a header name that is no token");
	if (h->n_headers == LIMIT_HTTP_HEADERS)
		return http1_refuse(431, why, "too many headers");
	*end = '\0';
	for (char *s = line; s < end; s++)
		*s = http1_lower(*s);
	for (value = colon + 1; *value == ' ' || *value == '\t';)
		value++;
	size = (size_t)(http1_trim(value, line_end) - value);
	if (!http1_mend_value(h, line, value, size))
		return http1_refuse(400, why, "a control character in a header");
	h->headers[h->n_headers++] = (struct http_header){ line, value };
	return 0;
}

int64_t http1_number(const char *text, size_t size)
{
	int64_t number = 0;

	if (!size || size > 18)
		return -1;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		number = number * 10 + (text[i] - '0');
	}
	return number;
}

/* Take the next length of a field's value.  *at is NULL after the last one. */
static int64_t http1_next_length(const struct http_head *h, const char **at)
{
	const char *from = *at + strspn(*at, " \t");
	size_t n = strcspn(from, ", \t");
	const char *end = from + n + strspn(from + n, " \t");

	*at = *end == ',' && !h->request ? end + 1 : NULL;
	return !*end || *at ? http1_number(from, n) : -1;
}

/* An answer may give its length several times, as fields or as a list, if all are equal (RFC 9110
 * 8.6). */
static unsigned http1_length(struct http_head *h, const char **why)
{
	for (size_t i = 0; i < h->n_headers; i++) {
		const char *at = h->headers[i].value;

		if (!http_name_is(h->headers[i].name, "content-length"))
			continue;
		while (at) {
			int64_t length = http1_next_length(h, &at);

			if (length < 0)
				return http1_refuse(400, why, "content-length is no number");
			if (h->length >= 0 && h->length != length)
				return http1_refuse(400, why, "two lengths that differ");
			h->length = length;
		}
	}
	return 0;
}

static unsigned http1_framing(struct http_head *h, const char **why)
{
	size_t n_te = http_header_count(h, "transfer-encoding");
	size_t n_cl = http_header_count(h, "content-length");
	const char *te = http_header(h, "transfer-encoding");

	if (n_te && n_cl)
		return http1_refuse(400, why, "both transfer-encoding and content-length");
	if (n_te > 1 || (n_cl > 1 && h->request))
		return http1_refuse(400, why, "the length of the body is given twice");
	if (te && !h->minor)
		return http1_refuse(400, why, "transfer-encoding in HTTP/1.0");
	if (te && strcasecmp(te, "chunked") != 0)
		return http1_refuse(h->request ? 501 : 400, why, "an unknown transfer-encoding");
	h->chunked = te != NULL;
	return http1_length(h, why);
}

static unsigned http1_host(struct http_head *h, const char *authority, size_t authority_size,
			   const char **why)
{
	const char *host = http_header(h, "host");
	size_t size;
	char *lower;

	if (!host || http_header_count(h, "host") != 1)
		return http1_refuse(400, why, "a request needs one Host header");
	size = strlen(host);
	if (!http1_is_authority(host, size))
		return http1_refuse(400, why, "the Host header is no host");
	if (authority &&
	    (size != authority_size || strncasecmp(host, authority, authority_size) != 0))
		return http1_refuse(400, why, "the Host header disagrees with the target");
	/* Room was reserved, so the pointers into the text stay valid. */
	lower = (char *)h->text.data + h->text.size;
	for (size_t i = 0; i <= size; i++)
		lower[i] = http1_lower(host[i]);
	h->host = lower;
	h->text.size += size + 1;
	return 0;
}

static void http1_connection(struct http_head *h)
{
	bool bodyless = h->status / 100 == 1 || h->status == 204 || h->status == 304;

	h->keep_alive = h->minor ? !http_list_has(h, "connection", "close")
				 : http_list_has(h, "connection", "keep-alive");
	if (!h->request && !h->chunked && h->length < 0 && !bodyless)
		h->keep_alive = false;
	h->upgrade = h->minor && http_list_has(h, "connection", "upgrade") &&
		     http_header(h, "upgrade") && (h->request || h->status == 101);
	/* An upgrade to HTTP/2 would hide requests from whoever passes its bytes on; RFC 9113 3.1
	 * has taken it back. */
	if (http_list_has(h, "upgrade", "h2c") || http_list_has(h, "upgrade", "h2"))
		h->upgrade = false;
}

static unsigned http1_expect(struct http_head *h, const char **why)
{
	const char *expect = http_header(h, "expect");

	if (!h->request || !expect || !h->minor)
		return 0;
	if (http_header_count(h, "expect") > 1 || strcasecmp(expect, "100-continue") != 0)
		return http1_refuse(417, why, "an unknown expectation");
	h->expect_continue = h->chunked || h->length > 0;
	return 0;
}

/* CR and LF come in pairs only. */
static char *http1_line_end(char *line)
{
	return strchr(line, '\n') - 1;
}

unsigned http1_head_parse(struct http_head *h, bool request, const char **why)
{
	const char *authority = NULL;
	size_t authority_size = 0;
	char *line, *end;
	unsigned status;

	buf_reserve(&h->text, h->text.size + 2);
	line = (char *)h->text.data;
	line[h->text.size] = '\0';
	end = http1_line_end(line);
	h->request = request;
	h->length = -1;
	*end = '\0';
	status = request ? http1_request_line(h, line, &authority, &authority_size, why)
			 : http1_status_line(h, line, why);
	for (line = end + 2; !status && *line != '\r'; line = end + 2) {
		end = http1_line_end(line);
		*end = '\0';
		status = http1_field(h, line, end, why);
	}
	if (!status)
		status = http1_framing(h, why);
	if (!status && request)
		status = http1_host(h, authority, authority_size, why);
	if (!status)
		status = http1_expect(h, why);
	if (!status)
		http1_connection(h);
	if (!status && h->status == 101 && !h->upgrade)
		status = http1_refuse(400, why, "a 101 that upgrades to nothing");
	return status;
}
