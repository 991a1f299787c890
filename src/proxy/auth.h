/* auth.h - may this request go in, and to which port?  Pure functions over a parsed head.
 *
 * The order is the service's (service.md 6.3).  The host must name an endpoint.  A token must be
 * present and readable, be ours, name this microVM, and not have expired.  Then the port is read,
 * and it must be in the token's scope.  A token for shells opens a shell, to a WebSocket alone, and
 * no port; no other token opens a shell.  Nobody learns anything about a microVM, and none wakes,
 * before all of that holds. */
#ifndef PROXY_AUTH_H
#define PROXY_AUTH_H

#include "base/rand.h"
#include "ipc/refusal.h"
#include "ipc/route.h"
#include "wire/http1.h"
#include "wire/token.h"

#define AUTH_DEFAULT_PORT 8080
#define AUTH_SHELL        0    /* in place of a port */
#define AUTH_SHELL_PORT   8022 /* that a client of a shell may name */
#define AUTH_OPENED       64

struct auth_denial {
	unsigned status;
	const char *text; /* plain text; "" is an empty body */
	enum refusal why;
};

extern const struct auth_denial auth_unknown_host; /* also the answer to another microVM's token */
extern const struct auth_denial auth_missing;      /* there is no token */

/* Find the endpoint that @host names ("<uuid>.lambda-microvm.us-east-1.localhost[:port]").  If the
 * client sent an SNI, @sni must be the same name; otherwise it is "".  @suffix begins with its dot.
 */
bool auth_endpoint(const char *host, const char *sni, const char *suffix,
		   char endpoint[UUID_SIZE]) must_check;

/* What a client offers in Sec-WebSocket-Protocol: our values are taken out, and those of the
 * application are joined. */
struct auth_offer {
	bool marker;       /* "lambda-microvms" */
	bool bad;          /* one of our values comes twice, or without the marker */
	uint64_t token_id; /* of the token that auth_check took, wherever it stood: a hash of it */
	struct buf token;  /* empty: none */
	struct buf port;   /* as written; empty: none */
	struct buf of_app; /* "a, b"; empty: none.  Read all three with buf_str */
};

void auth_offer_read(const struct http_head *head, struct auth_offer *o);
void auth_offer_free(struct auth_offer *o);

/* The keys, and the last tokens that they opened.  A client sends its token with every request, so
 * it is opened once and its claims are kept; time, microVM and port are checked each time. */
struct auth_keys {
	struct token_keys keys;
	struct {
		char *token; /* owned; NULL: free */
		struct token_claims claims;
	} opened[AUTH_OPENED];
};

void auth_keys_set(struct auth_keys *k,
		   const struct token_keys *keys); /* forgets what they opened */

/* NULL: the request may go in, to *port or, with a token for shells, to AUTH_SHELL.  Otherwise the
 * denial says what to answer. */
const struct auth_denial *auth_check(const struct http_head *head, struct auth_offer *offer,
				     struct auth_keys *keys, const struct route_set *route,
				     int64_t now_ms, uint16_t *port) must_check;

uint64_t auth_token_id(const char *token);                  /* as in auth_offer */
uint64_t auth_claims_id(const struct token_claims *claims); /* of a certificate's */

/* What a client that does not speak HTTP shows: a token, or the claims of its certificate. */
struct auth_shown {
	const char *token;                 /* NULL: none */
	const struct token_claims *claims; /* NULL: none */
};

/* Likewise for such a client, which names its port itself.  The token counts if there are both. */
const struct auth_denial *auth_check_native(const struct auth_shown *shown, struct auth_keys *keys,
					    const struct route_set *route, int64_t now_ms,
					    uint16_t port) must_check;

#endif
