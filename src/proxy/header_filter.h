/* header_filter.h - which header fields cross the proxy, in both directions.  Pure.
 *
 * Hop-by-hop fields and those that Connection names end here, framing is made anew by
 * net/, ours (x-aws-proxy-*) stay ours in both directions, and x-amzn-requestid is what the
 * proxy says it is. */
#ifndef PROXY_HEADER_FILTER_H
#define PROXY_HEADER_FILTER_H

#include "wire/http1.h"

struct filtered_headers {
	struct http_header at[LIMIT_HTTP_HEADERS + 4]; /* borrowed from the head and arguments */
	size_t n;
};

/* @protocols: what is left of Sec-WebSocket-Protocol for the application; "" is nothing. */
void header_filter_to_guest(const struct http_head *head, const char *request_id,
			    const char *protocols, struct filtered_headers *to);
/* @marked: the client offered "lambda-microvms" and is told that if the application chose none. */
void header_filter_to_client(const struct http_head *head, const char *request_id, bool marked,
			     struct filtered_headers *to);

#endif
