/* header_filter.h - which header fields cross the proxy, in both directions.  Pure.
 *
 * Hop-by-hop fields and those that Connection names end here. net/ frames the body anew.  Our own
 * fields (x-aws-proxy-*) cross in neither direction, and the proxy alone sets x-amzn-requestid. */
#ifndef PROXY_HEADER_FILTER_H
#define PROXY_HEADER_FILTER_H

#include "wire/http1.h"

struct filtered_headers {
	struct http_header at[LIMIT_HTTP_HEADERS + 4]; /* borrowed from the head and arguments */
	size_t n;
};

/* @protocols is what Sec-WebSocket-Protocol leaves for the application; "" is nothing. */
void header_filter_to_guest(const struct http_head *head, const char *request_id,
			    const char *protocols, struct filtered_headers *to);
/* Over HTTP/2 an application may learn that trailers reach the client (gRPC insists on it). */
void header_filter_add_te(const struct http_head *head, struct filtered_headers *to);
/* @marked: the client offered "lambda-microvms", which is chosen if the application chooses none.
 */
void header_filter_to_client(const struct http_head *head, const char *request_id, bool marked,
			     struct filtered_headers *to);

#endif
