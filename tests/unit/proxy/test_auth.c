/* Who is let in, to which port, and what the others are told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "heads.h"
#include "proxy/auth.h"

#define UUID   "0b0e8f52-6a1c-4a0e-9a55-0123456789ab"
#define SUFFIX ".lambda-microvm.us-east-1.localhost"
#define NOW    1790000000000

static const struct token_keys keys = { .keys = { { .kid = "k", .key = "ours" } }, .n = 1 };
static const struct token_keys theirs = { .keys = { { .kid = "k", .key = "theirs" } }, .n = 1 };
static const struct token_keys unknown = { .keys = { { .kid = "u", .key = "ours" } }, .n = 1 };

static const struct route_set route = { .microvm = "microvm-1", .http_ingress = 1 };

static void test_a_host_names_its_endpoint(void **unused)
{
	static const struct {
		const char *host, *sni;
		bool good;
	} cases[] = {
		{ UUID SUFFIX, "", true },
		{ UUID SUFFIX, UUID SUFFIX, true },
		{ UUID SUFFIX ":8443", UUID SUFFIX, true },
		{ UUID SUFFIX ":", "", true },
		{ UUID SUFFIX ":8443x", "", false },
		{ UUID SUFFIX ":844300", "", false },
		{ UUID SUFFIX ".", "", false },
		{ UUID SUFFIX "x", "", false },
		{ UUID SUFFIX, "localhost", false },
		{ UUID SUFFIX, "1" UUID SUFFIX, false },
		{ "a." UUID SUFFIX, "", false },
		{ UUID, "", false },
		{ UUID ".lambda-microvm.us-east-2.localhost", "", false },
		{ "0B0E8F52-6a1c-4a0e-9a55-0123456789ab" SUFFIX, "", false },
		{ "0b0e8f52-6a1c-4a0e-9a55-0123456789az" SUFFIX, "", false },
		{ "localhost", "", false },
		{ "", "", false },
	};
	char endpoint[UUID_SIZE];

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(auth_endpoint(cases[i].host, cases[i].sni, SUFFIX, endpoint),
				 cases[i].good);
		if (cases[i].good)
			assert_string_equal(endpoint, UUID);
	}
}

static char *mint(const struct token_keys *with, const struct token_claims *claims)
{
	static const uint8_t nonce[12];
	struct buf b = { 0 };

	token_mint(with, claims, nonce, &b);
	buf_str(&b);
	return (char *)b.data;
}

static struct auth_keys mine = { .keys = { .keys = { { .kid = "k", .key = "ours" } }, .n = 1 } };
static int64_t now = NOW;

/* Every "T" of the lines becomes the token. */
static const struct auth_denial *ask(const char *lines, const char *token,
				     const struct route_set *to, uint16_t *port)
{
	autobuf struct buf text = { 0 };
	const struct auth_denial *denial;
	struct auth_offer offer;
	struct http1 *p;

	buf_adds(&text, "GET / HTTP/1.1\r\nhost: a\r\n");
	for (; *lines; lines++) {
		if (*lines == 'T')
			buf_adds(&text, token);
		else
			buf_add(&text, lines, 1);
	}
	buf_adds(&text, "\r\n");
	p = parse_head(buf_str(&text), true);
	auth_offer_read(http1_head(p), &offer);
	denial = auth_check(http1_head(p), &offer, &mine, to, now, port);
	auth_offer_free(&offer);
	http1_free(p);
	return denial;
}

#define WS "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-protocol: "

static void test_a_request_is_let_in_to_the_port_it_names(void **unused)
{
	static const struct {
		const char *lines;
		uint16_t port;
	} cases[] = {
		{ "x-aws-proxy-auth: T\r\n", 8080 },
		{ "X-AWS-Proxy-Auth:T\r\nX-Aws-Proxy-Port: 5000\r\n", 5000 },
		{ "x-aws-proxy-auth: T\r\nx-aws-proxy-port: 05000\r\n", 5000 },
		{ WS "lambda-microvms, lambda-microvms.authentication.T\r\n", 8080 },
		{ WS
		  "lambda-microvms,lambda-microvms.authentication.T,lambda-microvms.port.5000\r\n",
		  5000 },
		/* in several headers, in any order, the application's between them */
		{ WS
		  "lambda-microvms.port.5000, chat\r\nsec-websocket-protocol: "
		  "lambda-microvms.authentication.T\r\nsec-websocket-protocol: lambda-microvms\r\n",
		  5000 },
		/* the header comes first, for both */
		{ "x-aws-proxy-auth: T\r\n" WS "chat\r\n", 8080 },
		{ "x-aws-proxy-port: 5000\r\n" WS
		  "lambda-microvms, lambda-microvms.authentication.T, "
		  "lambda-microvms.port.8080\r\n",
		  5000 },
		{ "x-aws-proxy-auth: T\r\n" WS
		  "lambda-microvms, lambda-microvms.authentication.none, "
		  "lambda-microvms.port.5000\r\n",
		  5000 },
	};
	struct token_claims claims = { .microvm = "microvm-1",
				       .expires_ms = NOW + 1,
				       .ranges = { { 5000, 5000 }, { 8080, 8080 } },
				       .n_ranges = 2 };
	autofree char *token = mint(&keys, &claims);

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint16_t port = 0;

		assert_null(ask(cases[i].lines, token, &route, &port));
		assert_int_equal(port, cases[i].port);
	}
}

static void test_the_others_are_told_what_the_service_tells(void **unused)
{
	static const char missing[] = "Request missing authentication";
	static const char denied[] = "Access to port denied";
	static const char bad_port[] = "Invalid X-aws-proxy-port";
	static const char bad_offer[] = "Invalid Sec-WebSocket-Protocol";
	static const struct {
		const char *lines;
		unsigned status;
		const char *text;
	} cases[] = {
		{ "", 403, missing },
		{ "x-aws-proxy-auth: \r\n", 403, missing },
		{ "x-aws-proxy-auth: Bearer T\r\n", 403, missing },
		{ "x-aws-proxy-auth: Tx\r\n", 403, missing },
		{ "x-aws-proxy-auth: a.b.c.d.e\r\n", 403, missing },
		{ "x-aws-proxy-auth: T\r\nx-aws-proxy-auth: T\r\n", 403, missing },
		{ "authorization: T\r\n", 403, missing },
		{ "sec-websocket-protocol: lambda-microvms, lambda-microvms.authentication.T\r\n",
		  403, missing },
		{ WS "lambda-microvms\r\n", 403, missing },
		{ WS "lambda-microvms.authentication.T\r\n", 400, bad_offer },
		{ WS "lambda-microvms, lambda-microvms.authentication.T, "
		     "lambda-microvms.authentication.T\r\n",
		  400, bad_offer },
		{ WS
		  "lambda-microvms, lambda-microvms.authentication.T, lambda-microvms.port.0\r\n",
		  400, bad_offer },
		{ WS "lambda-microvms, lambda-microvms.authentication.T, lambda-microvms.port.\r\n",
		  400, bad_offer },
		{ "x-aws-proxy-auth: T\r\nx-aws-proxy-port: 0\r\n", 400, bad_port },
		{ "x-aws-proxy-auth: T\r\nx-aws-proxy-port: 65536\r\n", 400, bad_port },
		{ "x-aws-proxy-auth: T\r\nx-aws-proxy-port: +5000\r\n", 400, bad_port },
		{ "x-aws-proxy-auth: T\r\nx-aws-proxy-port: 5000, 80\r\n", 400, bad_port },
		{ "x-aws-proxy-auth: T\r\nx-aws-proxy-port: \r\n", 400, bad_port },
		{ "x-aws-proxy-auth: T\r\nx-aws-proxy-port: 80\r\nx-aws-proxy-port: 80\r\n", 400,
		  bad_port },
		/* who has no token learns nothing about ports */
		{ "x-aws-proxy-port: nonsense\r\n", 403, missing },
		{ "x-aws-proxy-auth: T\r\n", 403, denied },
		{ "x-aws-proxy-auth: T\r\nx-aws-proxy-port: 4999\r\n", 403, denied },
		{ "x-aws-proxy-auth: T\r\nx-aws-proxy-port: 65535\r\n", 403, denied },
	};
	struct token_claims claims = { .microvm = "microvm-1",
				       .expires_ms = NOW + 1,
				       .ranges = { { 5000, 5000 } },
				       .n_ranges = 1 };
	autofree char *token = mint(&keys, &claims);

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint16_t port;
		const struct auth_denial *denial = ask(cases[i].lines, token, &route, &port);

		assert_non_null(denial);
		assert_int_equal(denial->status, cases[i].status);
		assert_string_equal(denial->text, cases[i].text);
	}
}

static void test_a_token_counts_for_one_microvm_and_its_time(void **unused)
{
	static const struct {
		const struct token_keys *with;
		struct token_claims claims;
		unsigned status; /* 0: let in */
		const char *text;
	} cases[] = {
		{ &keys,
		  { .microvm = "microvm-1", .expires_ms = NOW + 1, .all_ports = true },
		  0,
		  "" },
		{ &keys,
		  { .microvm = "microvm-1", .expires_ms = NOW, .all_ports = true },
		  403,
		  "Token authentication failed" },
		{ &keys,
		  { .microvm = "microvm-2", .expires_ms = NOW + 1, .all_ports = true },
		  403,
		  "Token authentication failed" },
		{ &keys,
		  { .microvm = "", .expires_ms = NOW + 1, .all_ports = true },
		  403,
		  "Token authentication failed" },
		{ &theirs,
		  { .microvm = "microvm-1", .expires_ms = NOW + 1, .all_ports = true },
		  403,
		  "Token authentication failed" },
		{ &unknown,
		  { .microvm = "microvm-1", .expires_ms = NOW + 1, .all_ports = true },
		  403,
		  "Token authentication failed" },
		{ &keys,
		  { .microvm = "microvm-1", .expires_ms = NOW + 1, .shell = true },
		  502,
		  "" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autofree char *token = mint(cases[i].with, &cases[i].claims);
		uint16_t port;
		const struct auth_denial *denial =
			ask("x-aws-proxy-auth: T\r\n", token, &route, &port);

		assert_int_equal(denial ? denial->status : 0, cases[i].status);
		assert_string_equal(denial ? denial->text : "", cases[i].text);
	}
}

static void test_a_token_that_was_opened_before_is_still_checked(void **unused)
{
	static const char lines[] = "x-aws-proxy-auth: T\r\n";
	struct token_claims claims = { .microvm = "microvm-1",
				       .expires_ms = NOW + 10,
				       .ranges = { { 8080, 8080 } },
				       .n_ranges = 1 };
	struct route_set other = { .microvm = "microvm-2", .http_ingress = 1 };
	autofree char *token = mint(&keys, &claims), *tampered = xstrdup(token);
	uint16_t port;

	(void)unused;
	tampered[strlen(token) / 2] ^= 1;
	for (int i = 0; i < 3; i++) {
		assert_null(ask(lines, token, &route, &port));
		assert_non_null(ask(lines, tampered, &route, &port));
		assert_non_null(ask(lines, token, &other, &port));
		assert_non_null(ask("x-aws-proxy-auth: T\r\nx-aws-proxy-port: 1\r\n", token, &route,
				    &port));
	}
	now = NOW + 10;
	assert_string_equal(ask(lines, token, &route, &port)->text, "Token authentication failed");
	now = NOW;
	assert_null(ask(lines, token, &route, &port));
	/* keys that go take their tokens with them */
	auth_keys_set(&mine, &theirs);
	assert_string_equal(ask(lines, token, &route, &port)->text, "Token authentication failed");
	auth_keys_set(&mine, &keys);
	assert_null(ask(lines, token, &route, &port));
}

static void test_a_certificate_and_a_token_are_asked_the_same(void **unused)
{
	static const struct {
		struct token_claims claims;
		const char *text; /* "": let in */
	} cases[] = {
		{ { .microvm = "microvm-1", .expires_ms = NOW + 1, .all_ports = true }, "" },
		{ { .microvm = "microvm-1",
		    .expires_ms = NOW + 1,
		    .ranges = { { 5432, 5432 } },
		    .n_ranges = 1 },
		  "" },
		{ { .microvm = "microvm-1",
		    .expires_ms = NOW + 1,
		    .ranges = { { 5433, 5433 } },
		    .n_ranges = 1 },
		  "Access to port denied" },
		{ { .microvm = "microvm-1", .expires_ms = NOW + 1, .shell = true },
		  "Access to port denied" },
		{ { .microvm = "microvm-1", .expires_ms = NOW, .all_ports = true },
		  "Token authentication failed" },
		{ { .microvm = "microvm-2", .expires_ms = NOW + 1, .all_ports = true },
		  "Token authentication failed" },
	};
	const struct route_set closed = { .microvm = "microvm-1", .shell_ingress = 1 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autofree char *token = mint(&keys, &cases[i].claims);
		const struct auth_shown shown[] = { { .token = token },
						    { .claims = &cases[i].claims } };

		for (size_t j = 0; j < ARRAY_SIZE(shown); j++) {
			const struct auth_denial *denial =
				auth_check_native(&shown[j], &mine, &route, NOW, 5432);

			assert_string_equal(denial ? denial->text : "", cases[i].text);
			assert_non_null(auth_check_native(&shown[j], &mine, &closed, NOW, 5432));
		}
	}
}

static void test_a_token_counts_before_a_certificate_and_nothing_is_not_enough(void **unused)
{
	const struct token_claims good = { .microvm = "microvm-1",
					   .expires_ms = NOW + 1,
					   .all_ports = true };
	const struct token_claims old = { .microvm = "microvm-1", .all_ports = true };
	autofree char *token = mint(&keys, &good);

	(void)unused;
	assert_null(auth_check_native(&(struct auth_shown){ token, &old }, &mine, &route, NOW, 1));
	assert_non_null(
		auth_check_native(&(struct auth_shown){ "x", &good }, &mine, &route, NOW, 1));
	assert_ptr_equal(auth_check_native(&(struct auth_shown){ 0 }, &mine, &route, NOW, 1),
			 &auth_missing);
}

static void test_more_tokens_than_are_kept_are_all_right(void **unused)
{
	struct token_claims claims = { .microvm = "microvm-1", .all_ports = true };
	uint16_t port;

	(void)unused;
	for (int round = 0; round < 2; round++) {
		for (int i = 1; i <= 3 * AUTH_OPENED; i++) {
			autofree char *token = NULL;

			claims.expires_ms = NOW + i;
			token = mint(&keys, &claims);
			assert_null(ask("x-aws-proxy-auth: T\r\n", token, &route, &port));
		}
	}
	auth_keys_set(&mine, &keys);
}

static void test_without_ingress_every_port_is_denied(void **unused)
{
	struct token_claims claims = { .microvm = "microvm-1",
				       .expires_ms = NOW + 1,
				       .all_ports = true };
	autofree char *token = mint(&keys, &claims);
	struct route_set closed = route;
	const struct auth_denial *denial;
	uint16_t port;

	(void)unused;
	closed.http_ingress = 0;
	denial = ask("x-aws-proxy-auth: T\r\n", token, &closed, &port);
	assert_int_equal(denial->status, 403);
	assert_string_equal(denial->text, "Access to port denied");
	/* and a stranger is told no more than elsewhere */
	denial = ask("", token, &closed, &port);
	assert_string_equal(denial->text, "Request missing authentication");
}

static void test_a_shell_token_opens_a_shell_and_nothing_else(void **unused)
{
	static const char upgrade[] = "connection: upgrade\r\nupgrade: websocket\r\n";
	static const struct {
		bool upgrade;
		const char *lines;
		uint32_t ingress;
		unsigned status; /* 0: a shell */
	} cases[] = {
		{ true, "x-aws-proxy-auth: T\r\n", 1, 0 },
		{ true, "x-aws-proxy-auth: T\r\nx-aws-proxy-port: 8022\r\n", 1, 0 },
		{ false, WS "lambda-microvms, lambda-microvms.authentication.T\r\n", 1, 0 },
		{ false,
		  WS "lambda-microvms, lambda-microvms.authentication.T, "
		     "lambda-microvms.port.8022\r\n",
		  1, 0 },
		{ false, "x-aws-proxy-auth: T\r\n", 1, 502 },
		{ true, "x-aws-proxy-auth: T\r\nx-aws-proxy-port: 8080\r\n", 1, 403 },
		{ true, "x-aws-proxy-auth: T\r\nx-aws-proxy-port: 0\r\n", 1, 400 },
		{ false,
		  WS "lambda-microvms, lambda-microvms.authentication.T, "
		     "lambda-microvms.port.22\r\n",
		  1, 403 },
		{ true, "x-aws-proxy-auth: T\r\n", 0, 403 },
	};
	struct token_claims claims = { .microvm = "microvm-1",
				       .expires_ms = NOW + 1,
				       .shell = true };
	autofree char *token = mint(&keys, &claims);

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autofree char *lines =
			xasprintf("%s%s", cases[i].upgrade ? upgrade : "", cases[i].lines);
		struct route_set to = route;
		const struct auth_denial *denial;
		uint16_t port = 1;

		to.http_ingress = 0;
		to.shell_ingress = cases[i].ingress;
		denial = ask(lines, token, &to, &port);
		if ((denial ? denial->status : 0) != cases[i].status ||
		    (!denial && port != AUTH_SHELL))
			fail_msg("case %zu: status %u, port %u", i, denial ? denial->status : 0,
				 port);
	}
}

static void test_the_applications_protocols_are_left(void **unused)
{
	static const struct {
		const char *lines, *left;
		bool marker;
	} cases[] = {
		{ WS
		  "lambda-microvms, lambda-microvms.authentication.x, lambda-microvms.port.1\r\n",
		  "", true },
		{ WS "chat ,\t lambda-microvms,,superchat\r\n", "chat, superchat", true },
		{ WS "chat\r\n", "chat", false },
		{ WS "lambda-microvms.other, Lambda-MicroVMs\r\n",
		  "lambda-microvms.other, Lambda-MicroVMs", false },
		{ "", "", false },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autobuf struct buf text = { 0 };
		struct auth_offer offer;
		struct http1 *p;

		buf_addf(&text, "GET / HTTP/1.1\r\nhost: a\r\n%s\r\n", cases[i].lines);
		p = parse_head(buf_str(&text), true);
		auth_offer_read(http1_head(p), &offer);
		assert_string_equal(buf_str(&offer.of_app), cases[i].left);
		assert_int_equal(offer.marker, cases[i].marker);
		auth_offer_free(&offer);
		http1_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_host_names_its_endpoint),
		cmocka_unit_test(test_a_request_is_let_in_to_the_port_it_names),
		cmocka_unit_test(test_the_others_are_told_what_the_service_tells),
		cmocka_unit_test(test_a_token_counts_for_one_microvm_and_its_time),
		cmocka_unit_test(test_a_token_that_was_opened_before_is_still_checked),
		cmocka_unit_test(test_a_certificate_and_a_token_are_asked_the_same),
		cmocka_unit_test(
			test_a_token_counts_before_a_certificate_and_nothing_is_not_enough),
		cmocka_unit_test(test_more_tokens_than_are_kept_are_all_right),
		cmocka_unit_test(test_without_ingress_every_port_is_denied),
		cmocka_unit_test(test_a_shell_token_opens_a_shell_and_nothing_else),
		cmocka_unit_test(test_the_applications_protocols_are_left),
	};

	return cmocka_run_group_tests_name("proxy/auth", tests, NULL, NULL);
}
