/* Whatever request a stranger sends: it is decided on, and what goes on to the guest neither
 * carries a token nor anything that would break a message. */

#include <stdlib.h>
#include <string.h>

#include "proxy/auth.h"
#include "proxy/header_filter.h"

#define OURS "lambda-microvms.authentication."

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct filtered_headers *f)
{
	autobuf struct buf out = { 0 };

	for (size_t i = 0; i < f->n; i++) {
		assert(strncmp(f->at[i].name, "x-aws-proxy-", 12) != 0);
		assert(strcmp(f->at[i].name, "connection") != 0);
		if (!strcmp(f->at[i].name, "sec-websocket-protocol"))
			assert(strncmp(f->at[i].value, OURS, strlen(OURS)) != 0 &&
			       !strstr(f->at[i].value, ", " OURS));
		assert(http1_put_header(&out, f->at[i].name, f->at[i].value));
	}
}

static void decide(const struct http_head *head)
{
	static struct auth_keys keys = { .keys = { .keys = { { .kid = "k" } }, .n = 1 } };
	static const struct route_set route = { .microvm = "microvm-1", .http_ingress = 1 };
	static const char suffix[] = ".lambda-microvm.us-east-1.localhost";
	char endpoint[UUID_SIZE];
	struct auth_offer offer;
	struct filtered_headers headers;
	uint16_t port;

	if (auth_endpoint(head->host, "", suffix, endpoint))
		assert(uuid_valid(endpoint));
	auth_offer_read(head, &offer);
	/* Nobody can seal a token without the key's bytes. */
	assert(auth_check(head, &offer, &keys, &route, 0, &port));
	header_filter_to_guest(head, "id", buf_str(&offer.of_app), &headers);
	check(&headers);
	auth_offer_free(&offer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http1 *p = http1_new(true);
	const uint8_t *body;
	size_t used, body_size;

	if (http1_next(p, data, size, &used, &body, &body_size) == HTTP1_HEAD)
		decide(http1_head(p));
	http1_free(p);
	return 0;
}
