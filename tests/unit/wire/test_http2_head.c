/* Heads of HTTP/2 requests: what they become, and what is refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wire/http2_head.h"

#define GET  ":method\0GET\0:scheme\0https\0:path\0/p?q\0:authority\0E.Example:1\0"
#define POST ":method\0POST\0:scheme\0https\0:path\0/\0:authority\0e\0"
#define WS   ":method\0CONNECT\0:protocol\0websocket\0:scheme\0https\0:path\0/\0:authority\0e\0"
#define ROW(what, text, ended, want)                  \
	{                                             \
		what, text, sizeof(text), ended, want \
	}

static const struct {
	const char *what, *text;
	size_t size;
	bool ended;
	const char *want;
} rows[] = {
	ROW("a GET", GET, true, "GET /p?q e.example:1 -1"),
	ROW("a GET with a Host that agrees", GET "host\0e.EXAMPLE:1\0", true,
	    "GET /p?q e.example:1 -1 host=e.EXAMPLE:1"),
	ROW("a Host alone", ":method\0GET\0:scheme\0https\0:path\0/\0host\0E\0", true,
	    "GET / e -1 host=E"),
	ROW("a Host that disagrees", GET "host\0other\0", true, "!400"),
	ROW("two Hosts", GET "host\0e.example:1\0host\0e.example:1\0", true, "!400"),
	ROW("no host", ":method\0GET\0:scheme\0https\0:path\0/\0", true, "!400"),
	ROW("cookies in parts", GET "cookie\0a=1\0x\0y\0cookie\0b=2\0cookie\0c=3\0", true,
	    "GET /p?q e.example:1 -1 cookie=a=1; b=2; c=3 x=y"),
	ROW("space around a value", GET "x\0 \ty \0", true, "GET /p?q e.example:1 -1 x=y"),
	ROW("a body with a length", POST "content-length\00012\0", false,
	    "POST / e 12 content-length=12"),
	ROW("a body without one", POST, false, "POST / e chunked"),
	ROW("a length without a body", POST "content-length\00012\0", true, "!400"),
	ROW("a length of nothing", POST "content-length\0000\0", true,
	    "POST / e 0 content-length=0"),
	ROW("two lengths", POST "content-length\0001\0content-length\0001\0", false, "!400"),
	ROW("a length with a sign", POST "content-length\0+1\0", false, "!400"),
	ROW("te: trailers", GET "te\0trailers\0", true, "GET /p?q e.example:1 -1 te=trailers"),
	ROW("te: gzip", GET "te\0gzip\0", true, "!400"),
	ROW("transfer-encoding", POST "transfer-encoding\0chunked\0", false, "!400"),
	ROW("connection", GET "connection\0x\0", true, "!400"),
	ROW("upgrade", GET "upgrade\0h2c\0", true, "!400"),
	ROW("a capital letter", GET "X\0y\0", true, "!400"),
	ROW("a name with space", GET "x y\0z\0", true, "!400"),
	ROW("CR LF in a value", GET "x\0y\r\nz: 1\0", true, "!400"),
	ROW("an unknown pseudo-header", GET ":x\0y\0", true, "!400"),
	ROW("a pseudo-header twice", GET ":path\0/\0", true, "!400"),
	ROW("a relative path", ":method\0GET\0:scheme\0https\0:path\0a\0:authority\0e\0", true,
	    "!400"),
	ROW("a star", ":method\0OPTIONS\0:scheme\0https\0:path\0*\0:authority\0e\0", true,
	    "OPTIONS * e -1"),
	ROW("a star for a GET", ":method\0GET\0:scheme\0https\0:path\0*\0:authority\0e\0", true,
	    "!400"),
	ROW("a userinfo", ":method\0GET\0:scheme\0https\0:path\0/\0:authority\0u@e\0", true,
	    "!400"),
	ROW("a CONNECT", ":method\0CONNECT\0:scheme\0https\0:path\0/\0:authority\0e\0", false,
	    "!501"),
	ROW("an expectation", POST "expect\000100-continue\0content-length\0001\0", false,
	    "POST / e 1 continue expect=100-continue content-length=1"),
	ROW("another expectation", POST "expect\0x\0", false, "!417"),
	ROW("a WebSocket", WS "sec-websocket-version\00013\0", false,
	    "GET / e -1 upgrade sec-websocket-version=13 connection=upgrade upgrade=websocket "
	    "sec-websocket-key=KEY"),
	ROW("another tunnel", ":method\0CONNECT\0:protocol\0x\0:scheme\0https\0:path\0/\0", false,
	    "!501"),
	ROW("a tunnel that ends at once", WS, true, "!400"),
	ROW("a tunnel with a length", WS "content-length\0001\0", false, "!400"),
	ROW("a tunnel with a key", WS "sec-websocket-key\0x\0", false, "!400"),
	ROW("a protocol for a GET", GET ":protocol\0websocket\0", false, "!400"),
};

static void add_fields(struct http2_fields *f, const char *text, size_t size)
{
	while (size > 1) {
		const char *value = text + strlen(text) + 1;
		size_t used = (size_t)(value - text) + strlen(value) + 1;

		assert_true(http2_add_field(f, (const uint8_t *)text, strlen(text),
					    (const uint8_t *)value, strlen(value)));
		text += used;
		size -= used;
	}
}

static const char *show(const struct http_head *h)
{
	static struct buf out;

	buf_clear(&out);
	buf_addf(&out, "%s %s %s ", h->method, h->target, h->host);
	if (h->chunked)
		buf_adds(&out, "chunked");
	else
		buf_addf(&out, "%lld", (long long)h->length);
	buf_adds(&out, h->expect_continue ? " continue" : "");
	buf_adds(&out, h->upgrade ? " upgrade" : "");
	for (size_t i = 0; i < h->n_headers; i++)
		buf_addf(&out, " %s=%s", h->headers[i].name, h->headers[i].value);
	return buf_str(&out);
}

static void test_heads_become_requests_or_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http2_fields f = { 0 };
		struct http_head h;
		const char *why = NULL;
		char refused[8];
		unsigned status;

		add_fields(&f, rows[i].text, rows[i].size);
		status = http2_head_parse(&h, &f, rows[i].ended, "KEY", &why);
		snprintf(refused, sizeof(refused), "!%u", status);
		if (strcmp(status ? refused : show(&h), rows[i].want))
			fail_msg("%s: %s and not %s (%s)", rows[i].what,
				 status ? refused : show(&h), rows[i].want, why ? why : "");
		assert_int_equal(!status, !why);
		http_head_free(&h);
	}
}

static void test_a_head_over_the_limits_is_refused_and_not_kept(void **state)
{
	struct http2_fields f = { 0 };
	struct http_head h;
	uint8_t value[1000];
	const char *why;

	(void)state;
	memset(value, 'v', sizeof(value));
	for (unsigned i = 0; i < 1000; i++)
		assert_true(http2_add_field(&f, (const uint8_t *)"x", 1, value, sizeof(value)));
	assert_true(f.over);
	assert_true(f.text.size <= LIMIT_HTTP_HEAD);
	assert_int_equal(http2_head_parse(&h, &f, true, "", &why), 431);
	http_head_free(&h);
}

static void test_a_nul_is_no_part_of_a_field(void **state)
{
	struct http2_fields f = { 0 };

	(void)state;
	assert_false(http2_add_field(&f, (const uint8_t *)"x", 1, (const uint8_t *)"a\0b", 3));
	assert_false(http2_add_field(&f, (const uint8_t *)"x\0y", 3, (const uint8_t *)"a", 1));
	buf_free(&f.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads_become_requests_or_are_refused),
		cmocka_unit_test(test_a_head_over_the_limits_is_refused_and_not_kept),
		cmocka_unit_test(test_a_nul_is_no_part_of_a_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
