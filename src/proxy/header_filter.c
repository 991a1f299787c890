#include "proxy/header_filter.h"

#include <string.h>
#include <strings.h>

#define OURS       "x-aws-proxy-"
#define REQUEST_ID "x-amzn-requestid"
#define PROTOCOL   "sec-websocket-protocol"

/* These fields end at this hop or are written anew (RFC 9110 7.6.1). */
static const char *const dropped[] = {
	"connection", "keep-alive", "proxy-connection",   "te",
	"trailer",    "upgrade",    "transfer-encoding",  "content-length",
	"expect",     "host",       "proxy-authenticate", "proxy-authorization",
	REQUEST_ID,
};

static void header_filter_add(struct filtered_headers *to, const char *name, const char *value)
{
	if (to->n < ARRAY_SIZE(to->at))
		to->at[to->n++] = (struct http_header){ name, value };
}

/* Is @name one of the options of a Connection field?  */
static bool connection_names(const struct http_head *head, const char *name)
{
	size_t size = strlen(name);

	for (size_t i = 0; i < head->n_headers; i++) {
		const char *at = head->headers[i].value;

		if (!http_name_is(head->headers[i].name, "connection"))
			continue;
		while (*at) {
			size_t blank = strspn(at, " \t,"), n = strcspn(at + blank, " \t,");

			if (n == size && !strncasecmp(at + blank, name, n))
				return true;
			at += blank + n;
		}
	}
	return false;
}

static bool is_dropped(const struct http_head *head, const char *name)
{
	if (*name == OURS[0] && !strncmp(name, OURS, strlen(OURS)))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(dropped); i++)
		if (http_name_is(name, dropped[i]))
			return true;
	return connection_names(head, name);
}

static void header_filter_copy(const struct http_head *head, struct filtered_headers *to)
{
	for (size_t i = 0; i < head->n_headers; i++) {
		const struct http_header *h = &head->headers[i];

		if (!is_dropped(head, h->name) &&
		    !(head->request && http_name_is(h->name, PROTOCOL)))
			header_filter_add(to, h->name, h->value);
	}
}

void header_filter_to_guest(const struct http_head *head, const char *request_id,
			    const char *protocols, struct filtered_headers *to)
{
	to->n = 0;
	header_filter_add(to, "host", head->host);
	if (head->upgrade)
		header_filter_add(to, "upgrade", http_header(head, "upgrade"));
	if (*protocols)
		header_filter_add(to, PROTOCOL, protocols);
	header_filter_copy(head, to);
	header_filter_add(to, REQUEST_ID, request_id);
}

void header_filter_add_te(const struct http_head *head, struct filtered_headers *to)
{
	if (http_head_takes_trailers(head))
		header_filter_add(to, "te", "trailers");
}

void header_filter_to_client(const struct http_head *head, const char *request_id, bool marked,
			     struct filtered_headers *to)
{
	to->n = 0;
	if (head->status == 101) {
		const char *upgrade = http_header(head, "upgrade");

		header_filter_add(to, "upgrade", upgrade ? upgrade : "websocket");
		if (marked && !http_header(head, PROTOCOL))
			header_filter_add(to, PROTOCOL, "lambda-microvms");
	}
	header_filter_copy(head, to);
	header_filter_add(to, REQUEST_ID, request_id);
}
