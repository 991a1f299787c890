#include "proxy/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"

#define MARKER       "lambda-microvms"
#define AUTH_FAILED  "Token authentication failed"
#define AUTH_MISSING "Request missing authentication"

const struct auth_denial auth_unknown_host = { 403, AUTH_FAILED, REFUSAL_UNKNOWN_HOST };

/* What a client hears does not tell what is wrong with its token; what we count does. */
static const struct auth_denial auth_bad = { 403, AUTH_FAILED, REFUSAL_BAD_TOKEN };
static const struct auth_denial auth_foreign = { 403, AUTH_FAILED, REFUSAL_FOREIGN_TOKEN };
static const struct auth_denial auth_expired = { 403, AUTH_FAILED, REFUSAL_EXPIRED_TOKEN };
const struct auth_denial auth_missing = { 403, AUTH_MISSING, REFUSAL_NO_TOKEN };
static const struct auth_denial auth_unreadable = { 403, AUTH_MISSING, REFUSAL_BAD_TOKEN };
static const struct auth_denial auth_wrong_port = { 403, "Access to port denied",
						    REFUSAL_PORT_DENIED };
static const struct auth_denial auth_bad_port = { 400, "Invalid X-aws-proxy-port",
						  REFUSAL_BAD_PORT };
static const struct auth_denial auth_bad_offer = { 400, "Invalid Sec-WebSocket-Protocol",
						   REFUSAL_BAD_PROTOCOL };
/* How the service answers a shell token without a WebSocket (service.md 8). */
static const struct auth_denial auth_no_shell = { 502, "", REFUSAL_NO_WEBSOCKET };

bool auth_endpoint(const char *host, const char *sni, const char *suffix, char endpoint[UUID_SIZE])
{
	size_t label = UUID_SIZE - 1, tail = strlen(suffix), name = label + tail;

	if (strlen(host) < name || strncmp(host + label, suffix, tail) != 0)
		return false;
	if (host[name] == ':') {
		const char *port = host + name + 1;

		if (strspn(port, "0123456789") != strlen(port) || strlen(port) > 5)
			return false;
	} else if (host[name]) {
		return false;
	}
	if (*sni && (strlen(sni) != name || strncmp(host, sni, name) != 0))
		return false;
	memcpy(endpoint, host, label);
	endpoint[label] = '\0';
	return uuid_valid(endpoint);
}

/* The part of @item after @prefix, or NULL. */
static const char *behind(const char *item, size_t size, const char *prefix)
{
	size_t n = strlen(prefix);

	return size >= n && !memcmp(item, prefix, n) ? item + n : NULL;
}

static void offer_take(struct auth_offer *o, struct buf *into, const char *value, const char *end)
{
	/* A value may come once, and it may not be empty. */
	if (into->size || value == end)
		o->bad = true;
	else
		buf_add(into, value, (size_t)(end - value));
}

static void offer_item(struct auth_offer *o, const char *item, size_t size)
{
	const char *end = item + size, *value;

	if (size == strlen(MARKER) && !memcmp(item, MARKER, size)) {
		o->marker = true;
	} else if ((value = behind(item, size, MARKER ".authentication."))) {
		offer_take(o, &o->token, value, end);
	} else if ((value = behind(item, size, MARKER ".port."))) {
		offer_take(o, &o->port, value, end);
	} else if (size) {
		if (o->of_app.size)
			buf_adds(&o->of_app, ", ");
		buf_add(&o->of_app, item, size);
	}
}

void auth_offer_read(const struct http_head *head, struct auth_offer *o)
{
	*o = (struct auth_offer){ 0 };
	for (size_t i = 0; i < head->n_headers; i++) {
		const char *at = head->headers[i].value;

		if (!http_name_is(head->headers[i].name, "sec-websocket-protocol"))
			continue;
		while (*at) {
			size_t blank = strspn(at, " \t,"), size = strcspn(at + blank, " \t,");

			offer_item(o, at + blank, size);
			at += blank + size;
		}
	}
	o->bad |= (o->token.size || o->port.size) && !o->marker;
}

void auth_offer_free(struct auth_offer *o)
{
	buf_free(&o->token);
	buf_free(&o->port);
	buf_free(&o->of_app);
}

static bool is_websocket(const struct http_head *head)
{
	const char *upgrade = http_header(head, "upgrade");

	return head->upgrade && upgrade && !strcasecmp(upgrade, "websocket");
}

/* The header comes first.  The subprotocol counts only if the request asks for a WebSocket. */
static const char *auth_token(const struct http_head *head, struct auth_offer *offer)
{
	size_t n = http_header_count(head, "x-aws-proxy-auth");

	if (n)
		return n == 1 ? http_header(head, "x-aws-proxy-auth") : NULL;
	return is_websocket(head) && offer->token.size ? buf_str(&offer->token) : NULL;
}

void auth_keys_set(struct auth_keys *k, const struct token_keys *keys)
{
	for (size_t i = 0; i < ARRAY_SIZE(k->opened); i++)
		free(k->opened[i].token);
	*k = (struct auth_keys){ .keys = *keys };
}

/* Compares in a time that depends on nothing but the lengths. */
static bool same_secret(const char *a, const char *b)
{
	size_t size = strlen(a), i = 0;
	uint64_t differ = 0;

	if (strlen(b) != size)
		return false;
	for (uint64_t x, y; i + sizeof(x) <= size; i += sizeof(x)) {
		memcpy(&x, a + i, sizeof(x));
		memcpy(&y, b + i, sizeof(y));
		differ |= x ^ y;
	}
	for (; i < size; i++)
		differ |= (unsigned char)(a[i] ^ b[i]);
	return !differ;
}

/* A token ends with its tag, so its last characters are as good as a hash of all of them. */
static const char *token_tag(const char *token, size_t n)
{
	size_t size = strlen(token);

	return token + (size > n ? size - n : 0);
}

static size_t token_slot(const char *token)
{
	const char *tag = token_tag(token, 16);

	return hash_fnv1a_32(tag, strlen(tag)) % AUTH_OPENED;
}

/* FNV-1a.  Nobody can choose a token for its hash, since its bytes are made here. */
static uint64_t auth_hash(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
	return hash;
}

uint64_t auth_token_id(const char *token)
{
	return auth_hash(token_tag(token, 22));
}

uint64_t auth_claims_id(const struct token_claims *claims)
{
	char text[sizeof(claims->microvm) + 32];

	snprintf(text, sizeof(text), "%s %lld", claims->microvm, (long long)claims->expires_ms);
	return auth_hash(text);
}

static int auth_claims(struct auth_keys *k, const char *token, struct token_claims *claims,
		       struct err *e)
{
	size_t slot = token_slot(token);

	if (k->opened[slot].token && same_secret(k->opened[slot].token, token)) {
		*claims = k->opened[slot].claims;
		return 0;
	}
	if (token_open(&k->keys, token, claims, e))
		return -1;
	free(k->opened[slot].token);
	k->opened[slot].token = xstrdup(token);
	k->opened[slot].claims = *claims;
	return 0;
}

static const struct auth_denial *auth_judge(const struct token_claims *claims,
					    const struct route_set *route, int64_t now_ms)
{
	if (strcmp(claims->microvm, route->microvm) != 0)
		return &auth_foreign;
	return claims->expires_ms <= now_ms ? &auth_expired : NULL;
}

static bool auth_admits(const struct token_claims *claims, const struct route_set *route,
			uint16_t port)
{
	return route->http_ingress && token_allows(claims, port);
}

static const struct auth_denial *auth_open(const char *text, struct auth_keys *keys,
					   const struct route_set *route, int64_t now_ms,
					   struct token_claims *claims)
{
	struct err e;

	if (!text)
		return &auth_missing;
	if (auth_claims(keys, text, claims, &e))
		return e.kind == ERR_INVALID ? &auth_unreadable : &auth_bad;
	return auth_judge(claims, route, now_ms);
}

static bool port_read(const char *text, uint16_t *port)
{
	unsigned long value = 0;
	size_t size = strlen(text);

	if (!size || size > 5 || strspn(text, "0123456789") != size)
		return false;
	for (; *text; text++)
		value = value * 10 + (unsigned long)(*text - '0');
	*port = (uint16_t)value;
	return value > 0 && value <= UINT16_MAX;
}

static const struct auth_denial *auth_port(const struct http_head *head, struct auth_offer *offer,
					   uint16_t *port)
{
	size_t n = http_header_count(head, "x-aws-proxy-port");

	*port = AUTH_DEFAULT_PORT;
	if (n)
		return n == 1 && port_read(http_header(head, "x-aws-proxy-port"), port)
			       ? NULL
			       : &auth_bad_port;
	if (!is_websocket(head))
		return NULL;
	if (offer->bad || (offer->port.size && !port_read(buf_str(&offer->port), port)))
		return &auth_bad_offer;
	return NULL;
}

static const struct auth_denial *auth_shell(const struct http_head *head, struct auth_offer *offer,
					    const struct route_set *route, uint16_t *port)
{
	bool named = http_header_count(head, "x-aws-proxy-port") || offer->port.size;
	const struct auth_denial *denial;

	if (!is_websocket(head))
		return &auth_no_shell;
	denial = auth_port(head, offer, port);
	if (!denial && ((named && *port != AUTH_SHELL_PORT) || !route->shell_ingress))
		denial = &auth_wrong_port;
	*port = AUTH_SHELL;
	return denial;
}

const struct auth_denial *auth_check(const struct http_head *head, struct auth_offer *offer,
				     struct auth_keys *keys, const struct route_set *route,
				     int64_t now_ms, uint16_t *port)
{
	const char *token = auth_token(head, offer);
	struct token_claims claims;
	const struct auth_denial *denial = auth_open(token, keys, route, now_ms, &claims);

	offer->token_id = denial ? 0 : auth_token_id(token);
	if (!denial && claims.shell)
		return auth_shell(head, offer, route, port);
	if (!denial)
		denial = auth_port(head, offer, port);
	if (!denial && !auth_admits(&claims, route, *port))
		denial = &auth_wrong_port;
	return denial;
}

const struct auth_denial *auth_check_native(const struct auth_shown *shown, struct auth_keys *keys,
					    const struct route_set *route, int64_t now_ms,
					    uint16_t port)
{
	struct token_claims claims;
	const struct auth_denial *denial = NULL;

	if (shown->token || !shown->claims) {
		denial = auth_open(shown->token, keys, route, now_ms, &claims);
	} else {
		claims = *shown->claims;
		denial = auth_judge(&claims, route, now_ms);
	}
	if (!denial && !auth_admits(&claims, route, port))
		denial = &auth_wrong_port;
	return denial;
}
