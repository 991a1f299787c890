/* native_start.c - who connects to an endpoint and does not speak HTTP, and where it wants to: from
 * its name (SNI), its protocols (ALPN), its certificate, and what a client of PostgreSQL says first
 * (docs/native-clients.md, ADR 0015). */

#include <string.h>

#include "base/steady.h"
#include "proxy/native_client.h"
#include "proxy/recording.h"
#include "wire/certificate.h"
#include "wire/native_name.h"
#include "wire/postgres_start.h"

#define NATIVE_ALPN "postgresql"

static const char native_no_postgres[] = "the client does not speak PostgreSQL's protocol";

static bool native_is_name(const char *sni)
{
	char endpoint[UUID_SIZE];
	const char *rest;
	uint16_t port;

	return native_name_read(sni, endpoint, &port, &rest) != NATIVE_NONE;
}

const struct tls_natives native_names = { .is_name = native_is_name, .alpn = NATIVE_ALPN };

static void native_free(struct native_want *want)
{
	buf_free(&want->token);
	buf_free(&want->start);
}

/* The first fault counts. */
static void native_fault(struct native_want *want, enum err_kind kind, const char *why)
{
	if (!*want->refusal.text)
		err_set(&want->refusal, kind, "%s", why);
}

static void native_read_name(const struct proxy *p, const char *sni, struct native_want *want)
{
	const char *rest;

	switch (native_name_read(sni, want->endpoint, &want->port, &rest)) {
	case NATIVE_NONE:
		if (!auth_endpoint(sni, "", p->suffix, want->endpoint))
			*want->endpoint = '\0';
		return;
	case NATIVE_BAD_PORT:
		native_fault(want, ERR_INVALID,
			     "the name's port is none: give a number from 1 to 65535");
		break;
	case NATIVE_PORT:
		break;
	}
	if (strcmp(rest, p->suffix) != 0)
		native_fault(want, ERR_DENIED, auth_unknown_host.text);
}

/* What is wrong with a certificate counts only for somebody who shows nothing else. */
static void native_read_certificate(const struct proxy *p, const struct conn *c,
				    struct native_want *want, struct err *fault)
{
	autobuf struct buf der = { 0 };

	if (!p->client_ca || !conn_certificate(c, &der))
		return;
	want->certified = !certificate_open(p->client_ca, der.data, der.size, steady_ms(),
					    &want->claims, fault);
}

static void native_read_handshake(const struct proxy *p, const struct conn *c,
				  struct native_want *want, struct err *fault)
{
	const struct buf *offers = conn_offers(c);

	*want = (struct native_want){ .token = { .secret = true } };
	*fault = (struct err){ 0 };
	native_read_name(p, conn_sni(c), want);
	native_token_join(offers->data, offers->size, &want->token);
	native_read_certificate(p, c, want, fault);
}

static void native_start(struct proxy *p, struct conn *c, struct native_want *want,
			 const struct err *fault)
{
	if (*fault->text && !want->token.size)
		native_fault(want, ERR_DENIED, fault->text);
	native_client_new(p, c, want);
	native_free(want);
}

/* options=endpoint=... must not contradict the name. */
static void native_take_option(struct native_want *want, const char *text)
{
	char endpoint[UUID_SIZE];
	uint16_t port;

	if (!native_name_of_option(text, endpoint, &port)) {
		native_fault(want, ERR_INVALID, "options=endpoint= is none: it is ENDPOINT[-PORT]");
		return;
	}
	if ((*want->endpoint && strcmp(want->endpoint, endpoint) != 0) ||
	    (port && want->port && port != want->port))
		native_fault(want, ERR_INVALID,
			     "options=endpoint= and the host's name do not agree");
	memcpy(want->endpoint, endpoint, sizeof(endpoint));
	want->port = port ? port : want->port;
}

static void native_take_startup(struct native_want *want, const uint8_t *packet, size_t size)
{
	autobuf struct buf endpoint = { 0 };
	struct buf token = { .secret = true };
	struct err e;

	if (postgres_startup_take(packet, size, &want->start, &endpoint, &token, &e))
		native_fault(want, e.kind, e.text);
	else if (endpoint.size)
		native_take_option(want, buf_str(&endpoint));
	if (token.size) {
		buf_free(&want->token);
		want->token = token;
	} else {
		buf_free(&token);
	}
}

static enum http_native native_postgres(struct proxy *p, struct conn *c, struct http_start *s)
{
	size_t used = 0;
	enum postgres_start start = postgres_start_read(s->said.data, s->said.size, &used);
	struct native_want want;
	struct err fault;

	if (start == POSTGRES_MORE)
		return HTTP_NATIVE_MORE;
	native_read_handshake(p, c, &want, &fault);
	want.postgres = true;
	want.cancels = start == POSTGRES_CANCEL;
	if (start == POSTGRES_STARTUP)
		native_take_startup(&want, s->said.data, used);
	else if (want.cancels)
		buf_add(&want.start, s->said.data, used);
	else
		native_fault(&want, ERR_INVALID, native_no_postgres);
	buf_add(&want.start, s->said.data + used, s->said.size - used);
	native_start(p, c, &want, &fault);
	return HTTP_NATIVE_TAKEN;
}

static enum http_native native_opened(void *arg, struct conn *c, struct http_start *s)
{
	struct proxy *p = arg;
	bool named = native_is_name(conn_sni(c));
	struct native_want want;
	struct err fault;

	if (s->asked_plain || !strcmp(conn_alpn(c), NATIVE_ALPN))
		return HTTP_NATIVE_MORE;
	if (!named && (*conn_sni(c) || *conn_alpn(c)))
		return HTTP_NATIVE_NONE;
	native_read_handshake(p, c, &want, &fault);
	if (named || want.certified) {
		native_start(p, c, &want, &fault);
		return HTTP_NATIVE_TAKEN;
	}
	native_free(&want);
	return HTTP_NATIVE_NONE;
}

static enum http_native native_said(void *arg, struct conn *c, struct http_start *s)
{
	return native_postgres(arg, c, s);
}

static void native_late(void *arg, struct conn *c, struct http_start *s)
{
	struct native_want want;
	struct err fault;

	(void)s;
	native_read_handshake(arg, c, &want, &fault);
	want.postgres = true;
	native_fault(&want, ERR_INVALID, "the client took too long to say what it wants");
	native_start(arg, c, &want, &fault);
}

/* There is no TLS yet, so neither a name nor a token can be told. */
static void native_refuse_plain(struct proxy *p, struct conn *c, const char *why)
{
	static const struct http_head head = { .method = "POSTGRESQL", .target = "" };
	autobuf struct buf b = { 0 };
	struct request_record record;

	recording_begin(&record, &head, 0);
	record_refuse(&record, REFUSAL_MALFORMED, why);
	recording_end(p, &record);
	postgres_error_put(&b, "08P01", why);
	conn_write_plain(c, b.data, b.size);
	conn_close(c);
}

/* One that cancels in plain text does not say where, and expects no answer. */
static const char *const native_plain_faults[] = {
	[POSTGRES_CANCEL] = "a query is canceled only through TLS",
	[POSTGRES_STARTUP] = "the endpoint is reached only through TLS: use sslmode=verify-full",
	[POSTGRES_BAD] = native_no_postgres,
};

static size_t native_before_tls(void *arg, struct conn *c, struct http_start *s,
				const uint8_t *data, size_t size)
{
	enum postgres_start start = POSTGRES_MORE;
	size_t used = 0, rest;

	/* Whatever else it is, TLS makes of it what it can. */
	if (!s->said.size && (s->asked_plain || *data))
		return 0;
	buf_add(&s->said, data, size);
	while (!s->asked_plain) {
		start = postgres_start_read(s->said.data, s->said.size, &used);
		if (start != POSTGRES_SSL && start != POSTGRES_GSS)
			break;
		s->asked_plain = start == POSTGRES_SSL;
		conn_write_plain(c, s->asked_plain ? "S" : "N", 1);
		buf_drop(&s->said, used);
	}
	if (!s->asked_plain && start != POSTGRES_MORE) {
		native_refuse_plain(arg, c, native_plain_faults[start]);
		return size;
	}
	if (!s->asked_plain)
		return size;
	conn_is_native(c);
	rest = s->said.size;
	buf_clear(&s->said);
	return size - rest;
}

const struct http_natives native_handler = {
	.before_tls = native_before_tls,
	.opened = native_opened,
	.said = native_said,
	.late = native_late,
};
