/* trace.h - the trace of a request (W3C Trace Context): passed on where it is valid, begun where it
 * is not.  Pure. */
#ifndef PROXY_TRACE_H
#define PROXY_TRACE_H

#include "proxy/header_filter.h"

#define TRACE_SIZE 56 /* "00-<32 hex>-<16 hex>-<2 hex>", with the NUL */

struct trace {
	char parent[TRACE_SIZE];
	bool given; /* it came with the request, and so tracestate may too */
};

/* @random is used where a trace begins. */
void trace_read(const struct http_head *head, const uint8_t random[24], struct trace *t);
/* Puts it into the headers for the application, in the place of what the client sent. */
void trace_put(const struct trace *t, struct filtered_headers *to);
/* The identifier of the whole trace: 32 letters, which *to gets with a NUL. */
void trace_id(const struct trace *t, char to[33]);

#endif
