/* upstream_carrier.h - what carries a request to a server; for net/upstream only.
 *
 * upstream_h1.c carries one request after the other on a connection of its own, upstream_h2.c each
 * on a stream of a session that others share. */
#ifndef NET_UPSTREAM_CARRIER_H
#define NET_UPSTREAM_CARRIER_H

#include "net/upstream.h"

/* What a carrier leaves out cannot happen to its requests. */
struct upstream_carrier {
	bool (*request)(struct upstream *u, const char *method, const char *target,
			const struct http_header *headers, size_t n, int64_t length);
	void (*push)(struct upstream *u);
	bool (*send_body)(struct upstream *u, const void *data, size_t size);
	void (*send_trailers)(struct upstream *u, const struct http_header *fields, size_t n);
	void (*read_more)(struct upstream *u);
	bool (*answered)(const struct upstream *u);
	bool (*reusable)(const struct upstream *u);
	bool (*is_quiet)(const struct upstream *u);
	void (*limit)(struct upstream *u, int64_t silence_ms);
	bool (*timed_out)(const struct upstream *u);
	void (*timeout)(struct upstream *u, int64_t ms);
	void (*close)(struct upstream *u);
	struct conn *(*take_conn)(struct upstream *u, const struct conn_ops *ops, void *owner);
};

struct upstream {
	const struct upstream_carrier *carrier;
	const struct upstream_ops *ops;
	void *owner; /* borrowed */
	enum upstream_loss loss;
	uint32_t reset; /* upstream_reset */
};

#endif
