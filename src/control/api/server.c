/* server.c - how a request comes in: its signature, the operation that it names, its body.
 *
 * A request is not acted on before its signature is verified over the whole of it.
 * A body that is kept in memory is at most LIMIT_API_BODY long. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/steady.h"
#include "control/api/api.h"
#include "control/api/audit.h"
#include "control/api/authorize.h"
#include "control/api/call.h"
#include "control/api/credentials.h"
#include "control/api/credentials_outside.h"
#include "control/api/handlers/handlers.h"
#include "control/api/idempotency.h"
#include "control/api/validate.h"
#include "control/model/quotas.h"
#include "net/tls_certificates.h"

/* How each family names the code that begins a sentence of wire/sigv4.h. */
static const struct {
	const char *code, *lambda, *sts;
} denials[] = {
	{ "SignatureDoesNotMatch", "InvalidSignatureException", "SignatureDoesNotMatch" },
	{ "RequestTimeTooSkewed", "InvalidSignatureException", "SignatureDoesNotMatch" },
	{ "XAmzContentSHA256Mismatch", "InvalidSignatureException", "SignatureDoesNotMatch" },
	{ "InvalidClientTokenId", "UnrecognizedClientException", "InvalidClientTokenId" },
	{ "ExpiredToken", "ExpiredTokenException", "ExpiredToken" },
	{ "IncompleteSignature", "IncompleteSignatureException", "IncompleteSignature" },
	{ "MissingAuthenticationToken", "MissingAuthenticationTokenException",
	  "MissingAuthenticationToken" },
	{ "AccessDenied", "AccessDeniedException", "AccessDenied" },
};

static void server_deny(struct call *c, const struct err *e)
{
	const char *text = strstr(e->text, ": ");
	size_t size = text ? (size_t)(text - e->text) : 0;

	http_penalize(c->x);
	log_info("request denied op=%s key=%s: %s", c->op ? c->op->name : "none",
		 c->claim.access_key, e->text);
	for (size_t i = 0; i < ARRAY_SIZE(denials); i++)
		if (strlen(denials[i].code) == size && !memcmp(denials[i].code, e->text, size)) {
			call_fail_as(c, 403, c->op == &sts_op ? denials[i].sts : denials[i].lambda,
				     text + 2);
			return;
		}
	call_fail(c, e);
}

/* The one that requests are signed for. */
static const char *server_service(const struct call *c)
{
	if (c->op == &sts_op)
		return "sts";
	return c->op && c->op->family == FAMILY_LOGS ? "logs" : "lambda";
}

/* Refuses a claim that names none of our keys.  The signature is checked later, with the body. */
static int server_claim(struct call *c, struct err *e)
{
	const char *service = server_service(c);
	struct access_key *key;

	if (sigv4_read(http_request(c->x), &c->claim, e))
		return -1;
	if (strcmp(c->claim.service, service) != 0)
		return err_set(e, ERR_DENIED,
			       "SignatureDoesNotMatch: Credential should be scoped to correct "
			       "service: '%s'.",
			       service);
	/* Clients sign requests to the global STS for us-east-1, wherever they are. */
	if (c->op != &sts_op && strcmp(c->claim.region, c->ctl->conf->region) != 0)
		return err_set(e, ERR_DENIED,
			       "SignatureDoesNotMatch: Credential should be scoped to a valid "
			       "region: '%s'.",
			       c->ctl->conf->region);
	key = keys_claim(&c->ctl->keys, c->claim.access_key, c->claim.session, steady_ms(), e);
	if (!key)
		return -1;
	c->key = key_ref(key);
	c->who = &key->who;
	return 0;
}

static int server_verify(struct call *c, const char *body_sha256, struct err *e)
{
	c->verified = !sigv4_verify(http_request(c->x), &c->claim, c->key->secret, body_sha256,
				    true, clock_wall_ms(), e);
	return c->verified ? 0 : -1;
}

static const char *server_query(const struct call *c)
{
	const char *mark = strchr(http_request(c->x)->target, '?');

	return mark ? mark + 1 : NULL;
}

/* Either fills c->in, or fails the call. */
static bool server_decode(struct call *c)
{
	const struct op_request request = { c->op, &c->segments, server_query(c), c->body.data,
					    c->body.size };
	autobuf struct buf why = { 0 };

	switch (op_decode(&request, &c->in, &why)) {
	case DECODED:
		return true;
	case DECODED_INVALID:
		call_fail_as(c, 400,
			     c->op->family == FAMILY_LOGS ? "InvalidParameterException"
							  : "ValidationException",
			     buf_str(&why));
		return false;
	case DECODED_UNREADABLE:
		call_fail_as(c, 400, "SerializationException", buf_str(&why));
		return false;
	}
	abort();
}

/* A streaming operation begins before its body: the client must have stated the body's hash, or
 * that it is not signed. */
static void server_begin_stream(struct call *c)
{
	struct err e;

	if (server_verify(c, NULL, &e)) {
		server_deny(c, &e);
		return;
	}
	if (!server_decode(c) || !authorize(c))
		return;
	c->hash = EVP_MD_CTX_new();
	if (!c->hash || !EVP_DigestInit_ex(c->hash, EVP_sha256(), NULL))
		abort();
	c->op->run(c);
}

static const struct op *server_route(struct call *c, const struct http_head *head)
{
	size_t path = strcspn(head->target, "?");
	const char *target = http_header(head, "x-amz-target");

	if (path == 1)
		return target ? op_find_logs(target) : &sts_op;
	return op_find(head->method, head->target, path, &c->segments);
}

static void server_head(struct http_exchange *x)
{
	const struct http_head *head = http_request(x);
	struct call *c = xcalloc(1, sizeof(*c));
	struct err e;

	c->ctl = http_server_arg(x);
	c->x = x;
	list_init(&c->waits);
	rand_uuid(c->id);
	http_set_user(x, c);
	c->audit = audit_call;
	c->op = server_route(c, head);
	if (c->op == &sts_op)
		c->fail = sts_fail;
	if (http_is_penalized(x)) {
		err_set(&e, ERR_THROTTLED,
			"Too many requests without a right signature came from this address; "
			"correct the key pair, and try again in a minute.");
		call_fail(c, &e);
	} else if (server_claim(c, &e)) {
		server_deny(c, &e);
	} else if (!c->op) {
		call_fail_as(c, 404, "UnknownOperationException",
			     "There is no operation with this method and path.");
	} else if (c->op->streams) {
		server_begin_stream(c);
	} else if (head->length > (int64_t)LIMIT_API_BODY) {
		call_fail_as(c, 413, "RequestEntityTooLargeException",
			     "Request must be smaller than 1048576 bytes.");
	}
}

/* Whose body it is, nobody knows before all of it is here. */
static void server_crowded(struct call *c)
{
	struct err e;

	err_set(&e, ERR_THROTTLED,
		"Too many request bodies wait for their signature to be verified; try again.");
	call_fail(c, &e);
}

static size_t server_body(struct http_exchange *x, const uint8_t *data, size_t size)
{
	struct call *c = http_user(x);

	if (c->answered)
		return size;
	if (c->op->streams) {
		size = c->piece(c, data, size);
		if (!EVP_DigestUpdate(c->hash, data, size))
			abort();
		return size;
	}
	if (!http_keep(x, size))
		server_crowded(c);
	else if (c->body.size + size > LIMIT_API_BODY)
		call_fail_as(c, 413, "RequestEntityTooLargeException",
			     "Request must be smaller than 1048576 bytes.");
	else
		buf_add(&c->body, data, size);
	return size;
}

static void server_end_stream(struct call *c)
{
	uint8_t hash[32];
	char hex[65];

	if (!EVP_DigestFinal_ex(c->hash, hash, NULL))
		abort();
	hex_encode(hash, sizeof(hash), hex);
	c->complete(c, strlen(c->claim.payload) != 64 || !strcmp(hex, c->claim.payload));
}

/* False: the account calls this operation more often than it may; the call has failed. */
static bool server_in_rate(struct call *c)
{
	enum quota_kind kind = quota_of_op(c->op->name);
	struct account *a;
	int64_t wait_us;
	struct err e;

	if (kind == QUOTA_NUM)
		return true;
	a = account_of(c->ctl, c->who->account);
	wait_us = quota_pass(&a->due_us[kind], quota_of(c->ctl->conf, a, kind), clock_mono_us());
	if (!wait_us)
		return true;
	c->retry_after_s = (wait_us + 999999) / 1000000;
	err_set(&e, ERR_THROTTLED, "Rate exceeded");
	call_fail(c, &e);
	return false;
}

static void server_end(struct http_exchange *x)
{
	struct call *c = http_user(x);
	char hash[65];
	struct err e;

	if (c->answered)
		return;
	if (c->op->streams) {
		server_end_stream(c);
		return;
	}
	sha256_hex(c->body.data, c->body.size, hash);
	if (server_verify(c, hash, &e)) {
		server_deny(c, &e);
		return;
	}
	http_trust(x);
	if (c->op != &sts_op && (!server_decode(c) || !authorize(c) || !server_in_rate(c)))
		return;
	c->op->run(c);
}

static void server_writable(struct http_exchange *x)
{
	(void)x; /* every answer is sent in one piece */
}

static void server_done(struct http_exchange *x)
{
	call_exchange_done(http_user(x));
}

static const struct http_handler server_handler = {
	.head = server_head,
	.body = server_body,
	.end = server_end,
	.writable = server_writable,
	.done = server_done,
};

int api_open(struct control *ctl, struct err *e)
{
	static const char *const alpn[] = { "http/1.1", NULL };

	(void)e;
	ctl->api = xcalloc(1, sizeof(*ctl->api));
	ctl->api->certificates = certificates_new(SECRET_TLS_API, alpn, NULL);
	ctl->api->replays = replays_new();
	roles_open(&ctl->api->roles, ctl->conf);
	list_init(&ctl->api->programs);
	ctl->guest_role_ops = &credentials_ops;
	ctl->api->server = http_server_new(&ctl->loop, NULL, &server_handler, ctl);
	http_server_limit(ctl->api->server, &ctl->conf->clients);
	return 0;
}

void api_load_token(struct control *ctl, const struct store_token *row)
{
	replay_load(ctl, row);
}

int api_set_certificates(struct control *ctl, enum secret which, const char *pem, size_t size,
			 struct err *e)
{
	struct tls *tls;

	if (certificates_take(ctl->api->certificates, which, pem, size, &tls, e))
		return -1;
	if (!tls)
		return 0;
	http_server_set_tls(ctl->api->server, tls);
	if (ctl->api->tls)
		tls_free(ctl->api->tls);
	ctl->api->tls = tls;
	return 0;
}

void api_set_ca(struct control *ctl, const char *pem, size_t size)
{
	buf_clear(&ctl->api->ca);
	buf_add(&ctl->api->ca, pem, size);
}

int api_listen(struct control *ctl, int fd, uint16_t port, struct err *e)
{
	ctl->api->port = port;
	return http_server_listen(ctl->api->server, fd, e);
}

void api_close(struct control *ctl)
{
	http_server_free(ctl->api->server);
	if (ctl->api->tls)
		tls_free(ctl->api->tls);
	ctl->api->tls = NULL;
	/* The store may still answer, and its answers need the calls: they stay until api_free. */
}

void api_free(struct control *ctl)
{
	replays_free(ctl->api->replays);
	certificates_free(ctl->api->certificates);
	credentials_forget_programs(ctl);
	ctl->guest_role_ops = NULL;
	roles_free(&ctl->api->roles);
	buf_free(&ctl->api->ca);
	free(ctl->api);
	ctl->api = NULL;
}
