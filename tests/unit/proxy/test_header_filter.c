/* Which header fields cross the proxy. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "heads.h"
#include "proxy/header_filter.h"

static char *lines_of(const struct filtered_headers *f)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < f->n; i++)
		buf_addf(&b, "%s: %s\n", f->at[i].name, f->at[i].value);
	buf_str(&b);
	return (char *)b.data;
}

static char *to_guest(const char *lines, const char *protocols)
{
	autobuf struct buf text = { 0 };
	struct filtered_headers f;
	struct http1 *p;
	char *out;

	buf_addf(&text, "POST /x HTTP/1.1\r\n%s\r\n", lines);
	p = parse_head(buf_str(&text), true);
	header_filter_to_guest(http1_head(p), "id-1", protocols, &f);
	out = lines_of(&f);
	http1_free(p);
	return out;
}

static char *to_client(const char *status_and_lines, bool marked)
{
	autobuf struct buf text = { 0 };
	struct filtered_headers f;
	struct http1 *p;
	char *out;

	buf_addf(&text, "HTTP/1.1 %s\r\n", status_and_lines);
	p = parse_head(buf_str(&text), false);
	header_filter_to_client(http1_head(p), "id-1", marked, &f);
	out = lines_of(&f);
	http1_free(p);
	return out;
}

static void test_a_request_keeps_what_is_its_own(void **unused)
{
	static const struct {
		const char *lines, *protocols, *out;
	} cases[] = {
		{ "Host: Ep:8443\r\nAccept: */*\r\nTraceparent: 00-1\r\nX-Forwarded-For: "
		  "1.2.3.4\r\n",
		  "",
		  "host: ep:8443\naccept: */*\ntraceparent: 00-1\nx-forwarded-for: 1.2.3.4\n"
		  "x-amzn-requestid: id-1\n" },
		/* ours, whatever they are called */
		{ "host: e\r\nX-Aws-Proxy-Auth: secret\r\nx-aws-proxy-port: 1\r\nX-AWS-PROXY-New: "
		  "1\r\n",
		  "", "host: e\nx-amzn-requestid: id-1\n" },
		/* a client does not choose our id */
		{ "host: e\r\nX-Amzn-RequestId: theirs\r\n", "",
		  "host: e\nx-amzn-requestid: id-1\n" },
		/* this hop's, and those that Connection names */
		{ "host: e\r\nConnection: close, X-Secret ,te\r\nX-Secret: 1\r\nTE: trailers\r\n"
		  "Keep-Alive: 5\r\nProxy-Connection: x\r\nTransfer-Encoding: chunked\r\nTrailer: "
		  "a\r\n"
		  "Expect: 100-continue\r\nProxy-Authorization: x\r\nkept: 1\r\n",
		  "", "host: e\nkept: 1\nx-amzn-requestid: id-1\n" },
		/* even Host and framing cannot be talked away */
		{ "host: e\r\nconnection: host, content-length\r\ncontent-length: 3\r\n", "",
		  "host: e\nx-amzn-requestid: id-1\n" },
		/* an upgrade, with the token gone from it */
		{ "host: e\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
		  "Sec-WebSocket-Key: k\r\nSec-WebSocket-Protocol: lambda-microvms, chat\r\n",
		  "chat",
		  "host: e\nupgrade: websocket\nsec-websocket-protocol: chat\nsec-websocket-key: "
		  "k\n"
		  "x-amzn-requestid: id-1\n" },
		{ "host: e\r\nSec-WebSocket-Protocol: lambda-microvms.authentication.secret\r\n",
		  "", "host: e\nx-amzn-requestid: id-1\n" },
		/* Upgrade without Connection is none */
		{ "host: e\r\nUpgrade: websocket\r\n", "", "host: e\nx-amzn-requestid: id-1\n" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autofree char *out = to_guest(cases[i].lines, cases[i].protocols);

		assert_string_equal(out, cases[i].out);
	}
}

static void test_an_answer_keeps_what_is_its_own(void **unused)
{
	static const struct {
		const char *lines;
		bool marked;
		const char *out;
	} cases[] = {
		{ "200 OK\r\nServer: gunicorn\r\nConnection: close\r\nContent-Length: 3\r\n"
		  "X-Amzn-RequestId: theirs\r\nX-Aws-Proxy-Trick: 1\r\nSet-Cookie: "
		  "a\r\nSet-Cookie: b\r\n",
		  true,
		  "server: gunicorn\nset-cookie: a\nset-cookie: b\nx-amzn-requestid: id-1\n" },
		{ "101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
		  "Sec-WebSocket-Accept: a\r\n",
		  true,
		  "upgrade: websocket\nsec-websocket-protocol: "
		  "lambda-microvms\nsec-websocket-accept: a\n"
		  "x-amzn-requestid: id-1\n" },
		{ "101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n", false,
		  "upgrade: websocket\nx-amzn-requestid: id-1\n" },
		{ "101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
		  "Sec-WebSocket-Protocol: chat\r\n",
		  true,
		  "upgrade: websocket\nsec-websocket-protocol: chat\nx-amzn-requestid: id-1\n" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autofree char *out = to_client(cases[i].lines, cases[i].marked);

		assert_string_equal(out, cases[i].out);
	}
}

static void test_the_most_headers_still_cross(void **unused)
{
	autobuf struct buf lines = { 0 };
	autofree char *out = NULL;
	size_t n = 0;

	(void)unused;
	buf_adds(&lines, "host: e\r\nconnection: upgrade\r\nupgrade: x\r\n");
	for (int i = 3; i < LIMIT_HTTP_HEADERS; i++)
		buf_addf(&lines, "h%d: 1\r\n", i);
	out = to_guest(buf_str(&lines), "chat");
	for (const char *s = out; *s; s++)
		n += *s == '\n';
	assert_int_equal(n, LIMIT_HTTP_HEADERS - 1 + 2); /* without connection, with ours */
	assert_non_null(strstr(out, "x-amzn-requestid: id-1\n"));
}

static void test_an_application_hears_of_trailers_if_its_client_takes_them(void **unused)
{
	static const struct {
		const char *te;
		size_t n;
	} cases[] = { { "trailers", 1 }, { "gzip, Trailers", 1 }, { "gzip", 0 } };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct filtered_headers f = { 0 };
		struct http_head head = { .request = true,
					  .headers = { { "te", cases[i].te } },
					  .n_headers = 1 };

		header_filter_add_te(&head, &f);
		assert_int_equal(f.n, cases[i].n);
		if (f.n)
			assert_string_equal(f.at[0].value, "trailers");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_application_hears_of_trailers_if_its_client_takes_them),
		cmocka_unit_test(test_a_request_keeps_what_is_its_own),
		cmocka_unit_test(test_an_answer_keeps_what_is_its_own),
		cmocka_unit_test(test_the_most_headers_still_cross),
	};

	return cmocka_run_group_tests_name("proxy/header_filter", tests, NULL, NULL);
}
