/* HTTP/1.1 messages: what is read, and above all what is refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "wire/http1.h"

/* What a stream of messages comes down to: "H" a head, the body bytes in brackets, "E" an end, "U"
 * an upgrade, "!<status>" a refusal.  Given in pieces of `step` bytes. */
static const char *told(bool requests, bool no_body, const char *text, size_t size, size_t step)
{
	static struct buf out;
	struct http1 *p = http1_new(requests);
	bool in_body = false;
	size_t at = 0, have = 0;

	buf_clear(&out);
	http1_expect_no_body(p, no_body);
	for (;;) {
		size_t used, body_size;
		const uint8_t *body;
		enum http1_event ev = http1_next(p, (const uint8_t *)text + at, have - at, &used,
						 &body, &body_size);

		at += used;
		if (ev != HTTP1_BODY && ev != HTTP1_MORE && in_body) {
			buf_adds(&out, "]");
			in_body = false;
		}
		if (ev == HTTP1_BODY) {
			buf_adds(&out, in_body ? "" : "[");
			in_body = true;
			buf_add(&out, body, body_size);
		} else if (ev == HTTP1_HEAD) {
			buf_adds(&out, "H");
		} else if (ev == HTTP1_TRAILERS) {
			size_t n;
			const struct http_header *fields = http1_trailers(p, &n);

			buf_adds(&out, "T");
			for (size_t i = 0; i < n; i++)
				buf_addf(&out, "(%s=%s)", fields[i].name, fields[i].value);
		} else if (ev == HTTP1_END) {
			buf_adds(&out, "E");
		} else if (ev == HTTP1_UPGRADE) {
			buf_adds(&out, "U");
			break;
		} else if (ev == HTTP1_BAD) {
			buf_addf(&out, "!%u", http1_status(p));
			assert_non_null(http1_error(p));
			break;
		} else if (have == size) {
			if (in_body)
				buf_adds(&out, "]");
			buf_adds(&out, http1_finish(p) ? "." : "?");
			break;
		} else {
			have = have + step < size ? have + step : size;
		}
	}
	http1_free(p);
	return buf_str(&out);
}

#define GET     "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST    "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"

struct row {
	const char *name, *text;
	size_t size;
	const char *want;
};
#define ROW(name, text, want)                      \
	{                                          \
		name, text, sizeof(text) - 1, want \
	}

/* clang-format off */
static const struct row requests[] = {
	ROW("plain", GET "\r\n", "HE."),
	ROW("two, pipelined", GET "\r\n" GET "\r\n", "HEHE."),
	ROW("an empty line in front", "\r\n" GET "\r\n\r\n" GET "\r\n", "HEHE."),
	ROW("too many empty lines", "\r\n\r\n\r\n" GET "\r\n", "!400"),
	ROW("half", "GET / HTTP/1.1\r\nHost: a\r\n", "?"),
	ROW("a body", POST "Content-Length: 5\r\n\r\nhello" GET "\r\n", "H[hello]EHE."),
	ROW("an empty body", POST "Content-Length: 0\r\n\r\n" GET "\r\n", "HEHE."),
	ROW("half a body", POST "Content-Length: 5\r\n\r\nhel", "H[hel]?"),
	ROW("chunks", POST CHUNKED "\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n" GET "\r\n", "H[hello!]EHE."),
	ROW("a quoted extension", POST CHUNKED "\r\n1;x=\"y\"\r\n!\r\n0\r\n\r\n", "H[!]E."),
	ROW("trailers are given", POST CHUNKED "\r\n1\r\n!\r\n0\r\nX-Sum:  1 \r\nX-E:\r\n\r\n" GET "\r\n", "H[!]T(x-sum=1)(x-e=)EHE."),
	ROW("trailers without a body", POST CHUNKED "\r\n0\r\nA: 1\r\n\r\n" POST CHUNKED "\r\n0\r\n\r\n", "HT(a=1)EHE."),
	ROW("trailers that frame, route or authenticate are dropped", POST CHUNKED "\r\n0\r\nTE: x\r\nHost: x\r\nAuthorization: b\r\n\r\n" GET "\r\n", "HEHE."),
	ROW("a trailer with a control character", POST CHUNKED "\r\n0\r\nX: \x01\r\n\r\n", "H!400"),
	ROW("capital hex", POST CHUNKED "\r\nA\r\n0123456789\r\n0\r\n\r\n", "H[0123456789]E."),
	ROW("methods that are in no list", "LIST / HTTP/1.1\r\nHost: a\r\n\r\n" "X-Y_Z / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n!", "HEH[!]E."),
	ROW("an upgrade is a request", GET "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n", "HE."),
	ROW("absolute form", "GET http://A/x HTTP/1.1\r\nHost: a\r\n\r\n", "HE."),
	ROW("OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "HE."),
	ROW("HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", "HE."),
	ROW("obs-text in a value", GET "X: \xe9\r\n\r\n", "HE."),
	/* Smuggling. */
	ROW("CL and TE", POST "Content-Length: 4\r\n" CHUNKED "\r\n0\r\n\r\n", "!400"),
	ROW("TE and CL", POST CHUNKED "Content-Length: 4\r\n\r\n0\r\n\r\n", "!400"),
	ROW("two lengths", POST "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", "!400"),
	ROW("the same length twice", POST "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", "!400"),
	ROW("a list of lengths", POST "Content-Length: 4, 4\r\n\r\nabcd", "!400"),
	ROW("a signed length", POST "Content-Length: +4\r\n\r\nabcd", "!400"),
	ROW("a negative length", POST "Content-Length: -4\r\n\r\nabcd", "!400"),
	ROW("a hex length", POST "Content-Length: 0x4\r\n\r\nabcd", "!400"),
	ROW("no length", POST "Content-Length:\r\n\r\n", "!400"),
	ROW("a huge length", POST "Content-Length: 99999999999999999999\r\n\r\n", "!400"),
	ROW("space before the colon", POST "Content-Length : 4\r\n\r\nabcd", "!400"),
	ROW("tab before the colon", POST "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", "!400"),
	ROW("obs-fold", GET "X: a\r\n b\r\n\r\n", "!400"),
	ROW("a folded first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "!400"),
	ROW("bare LF", "GET / HTTP/1.1\nHost: a\n\n", "!400"),
	ROW("bare LF in a header", GET "X: a\nY: b\r\n\r\n", "!400"),
	ROW("bare CR in a header", GET "X: a\rY: b\r\n\r\n", "!400"),
	ROW("NUL in a header", GET "X: a\0b\r\n\r\n", "!400"),
	ROW("NUL in a name", GET "X\0: a\r\n\r\n", "!400"),
	ROW("a control byte in a header", GET "X: a\x01\r\n\r\n", "!400"),
	ROW("TE in 1.0", "POST / HTTP/1.0\r\nHost: a\r\n" CHUNKED "\r\n0\r\n\r\n", "!400"),
	ROW("TE gzip", POST "Transfer-Encoding: gzip\r\n\r\n", "!501"),
	ROW("TE gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "!501"),
	ROW("TE chunked twice", POST CHUNKED CHUNKED "\r\n0\r\n\r\n", "!400"),
	ROW("TE chunked, identity", POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", "!501"),
	ROW("TE with a byte before", POST "Transfer-Encoding: \x0b""chunked\r\n\r\n0\r\n\r\n", "!400"),
	ROW("TE xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "!501"),
	ROW("TE empty", POST "Transfer-Encoding:\r\n\r\n", "!501"),
	ROW("no Host", "GET / HTTP/1.1\r\n\r\n", "!400"),
	ROW("two Hosts", GET "Host: a\r\n\r\n", "!400"),
	ROW("a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "!400"),
	ROW("a Host with a user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "!400"),
	ROW("a Host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "!400"),
	ROW("an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "!400"),
	ROW("absolute form against Host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("absolute form with a user", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("an empty header name", GET ": a\r\n\r\n", "!400"),
	ROW("a header without colon", GET "abc\r\n\r\n", "!400"),
	ROW("a name that is no token", GET "X(y): a\r\n\r\n", "!400"),
	ROW("a chunk size with a sign", POST CHUNKED "\r\n+1\r\na\r\n0\r\n\r\n", "H!400"),
	ROW("a chunk size with 0x", POST CHUNKED "\r\n0x1\r\na\r\n0\r\n\r\n", "H!400"),
	ROW("a chunk size with a space before", POST CHUNKED "\r\n 1\r\na\r\n0\r\n\r\n", "H!400"),
	ROW("a chunk size with a space behind", POST CHUNKED "\r\n1 \r\na\r\n0\r\n\r\n", "H!400"),
	ROW("no chunk size", POST CHUNKED "\r\n\r\na\r\n0\r\n\r\n", "H!400"),
	ROW("a chunk size that overflows", POST CHUNKED "\r\nfffffffffffffffff\r\na", "H!400"),
	ROW("a chunk longer than its size", POST CHUNKED "\r\n1\r\nab\r\n0\r\n\r\n", "H[a]!400"),
	ROW("a chunk ended by LF", POST CHUNKED "\r\n1\r\na\n0\r\n\r\n", "H[a]!400"),
	ROW("a chunk line ended by LF", POST CHUNKED "\r\n1\na\r\n0\r\n\r\n", "H!400"),
	ROW("LF in a chunk extension", POST CHUNKED "\r\n1;a\nb\r\nx\r\n0\r\n\r\n", "H!400"),
	ROW("CR in a chunk extension", POST CHUNKED "\r\n1;a\rb\r\nx\r\n0\r\n\r\n", "H!400"),
	ROW("NUL in a chunk extension", POST CHUNKED "\r\n1;a\0b\r\nx\r\n0\r\n\r\n", "H!400"),
	ROW("the end with LF", POST CHUNKED "\r\n0\n\n", "H!400"),
	ROW("a trailer that is no token", POST CHUNKED "\r\n0\r\nX y: 1\r\n\r\n", "H!400"),
	ROW("a trailer with space before the colon", POST CHUNKED "\r\n0\r\nX : 1\r\n\r\n", "H!400"),
	ROW("a trailer with LF", POST CHUNKED "\r\n0\r\nX: 1\n\r\n", "H!400"),
	ROW("a LF alone ends the trailers", POST CHUNKED "\r\n0\r\n\n" GET "\r\n", "H!400"),
	ROW("a LF alone after a trailer", POST CHUNKED "\r\n0\r\nX: 1\r\n\n" GET "\r\n", "H!400"),
	ROW("a folded trailer", POST CHUNKED "\r\n0\r\nX: 1\r\n y\r\n\r\n", "H!400"),
	/* Not ours. */
	ROW("CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "!501"),
	ROW("HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "!505"),
	ROW("a method in lower case", "get / HTTP/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("a method with a lower-case end", "GEt / HTTP/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("a method with a digit", "LIST2 / HTTP/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("HTTP/0.9", "GET /\r\n\r\n", "!400"),
	ROW("HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", "!505"),
	ROW("a version in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("a raw byte in the target", "GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("no slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("another expectation", POST "Expect: tea\r\n\r\n", "!417"),
	ROW("a TLS hello", "\x16\x03\x01\x02\x00\x01", "!400"),
};

#define OK "HTTP/1.1 200 OK\r\n"
static const struct row responses[] = {
	ROW("a body", OK "Content-Length: 2\r\n\r\nhi" OK "Content-Length: 0\r\n\r\n", "H[hi]EHE."),
	ROW("chunks", OK CHUNKED "\r\n2\r\nhi\r\n0\r\n\r\n", "H[hi]E."),
	ROW("padded chunk sizes", OK CHUNKED "\r\n2  \t\r\nhi\r\n1 ;a=b\r\n!\r\n0 \r\nA: 1\r\n\r\n" OK CHUNKED "\r\n0\r\n\r\n", "H[hi!]T(a=1)EHE."),
	ROW("padding in a chunk size", OK CHUNKED "\r\n1 0\r\n0123456789abcdef\r\n0\r\n\r\n", "H!400"),
	ROW("a chunk size that overflows", OK CHUNKED "\r\n138888ff4ffffffff", "H!400"),
	ROW("padding before a chunk size", OK CHUNKED "\r\n 2\r\nhi\r\n0\r\n\r\n", "H!400"),
	ROW("padding alone as a chunk size", OK CHUNKED "\r\n \r\nhi\r\n0\r\n\r\n", "H!400"),
	ROW("padding ended by LF", OK CHUNKED "\r\n2 \nhi\r\n0\r\n\r\n", "H!400"),
	ROW("padding with NUL", OK CHUNKED "\r\n2 \0\r\nhi\r\n0\r\n\r\n", "H!400"),
	ROW("until close", OK "\r\nhi there", "H[hi there]."),
	ROW("cut", OK "Content-Length: 9\r\n\r\nhi", "H[hi]?"),
	ROW("cut chunks", OK CHUNKED "\r\n2\r\nhi\r\n", "H[hi]?"),
	ROW("204", "HTTP/1.1 204 No Content\r\n\r\n" OK "Content-Length: 0\r\n\r\n", "HEHE."),
	ROW("304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n" OK CHUNKED "\r\n0\r\n\r\n", "HEHE."),
	ROW("100 and then 200", "HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\na", "HEH[a]E."),
	ROW("no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "HE."),
	ROW("101", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nraw", "HU"),
	ROW("101 to nothing", "HTTP/1.1 101 Switching Protocols\r\n\r\nraw", "!400"),
	ROW("CL and TE", OK "Content-Length: 2\r\n" CHUNKED "\r\n0\r\n\r\n", "!400"),
	ROW("two lengths", OK "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc", "!400"),
	ROW("TE gzip", OK "Transfer-Encoding: gzip\r\n\r\n", "!400"),
	ROW("TE in 1.0", "HTTP/1.0 200 OK\r\n" CHUNKED "\r\n0\r\n\r\n", "!400"),
	ROW("bare LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", "H[hi]E."),
	ROW("bare LF and CR LF", "HTTP/1.1 200 OK\nContent-Length: 2\r\nX: y\n\r\nhi", "H[hi]E."),
	ROW("bare LF, until close", "HTTP/1.0 200 OK\n\n\nhi", "H[\nhi]."),
	ROW("bare LF and chunks", "HTTP/1.1 200 OK\n" "Transfer-Encoding: chunked\n\n2\r\nhi\r\n0\r\n\r\n", "H[hi]E."),
	ROW("bare CR", OK "X: a\rY: b\r\n\r\n", "!400"),
	ROW("CR CR LF", OK "X: a\r\r\n\r\n", "!400"),
	ROW("NUL", OK "X: a\0b\r\n\r\n", "!400"),
	ROW("the same length twice", OK "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", "H[hi]E."),
	ROW("the same length as a list", OK "Content-Length: 2, 2 ,02\r\n\r\nhi", "H[hi]E."),
	ROW("a list of lengths that differ", OK "Content-Length: 2, 3\r\n\r\nhi", "!400"),
	ROW("a list without an end", OK "Content-Length: 2,\r\n\r\nhi", "!400"),
	ROW("two lengths in one", OK "Content-Length: 2 2\r\n\r\nhi", "!400"),
	ROW("a signed length", OK "Content-Length: +2\r\n\r\nhi", "!400"),
	ROW("a length with a control byte", OK "Content-Length: 2\x0b\r\n\r\nhi", "!400"),
	ROW("space before the colon", OK "Content-Length : 2\r\nX\t: y\r\n\r\nhi", "H[hi]E."),
	ROW("TE with a space before the colon, and CL", OK "Transfer-Encoding : chunked\r\nContent-Length: 2\r\n\r\nhi", "!400"),
	ROW("TE with a byte before", OK "Transfer-Encoding: \x0b""chunked\r\n\r\n0\r\n\r\n", "!400"),
	ROW("TE twice", OK CHUNKED CHUNKED "\r\n0\r\n\r\n", "!400"),
	ROW("a space in a name", OK "X Y: z\r\n\r\n", "!400"),
	ROW("a control byte in a name", OK "X\x01: z\r\n\r\n", "!400"),
	ROW("an empty name", OK ": z\r\n\r\n", "!400"),
	ROW("a line without a colon", OK "abc\r\n\r\n", "!400"),
	ROW("a name that is no token", OK "X(y): a\r\nX\xe9: b\r\nContent-Length: 2\r\n\r\nhi", "H[hi]E."),
	ROW("a control byte in a value", OK "X: a\x01\x7f""b\r\nContent-Length: 2\r\n\r\nhi", "H[hi]E."),
	ROW("obs-text in a value", OK "X: \xe9\r\nContent-Length: 2\r\n\r\nhi", "H[hi]E."),
	ROW("a control byte in the reason", "HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\nhi", "H[hi]E."),
	ROW("an empty reason", "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi", "H[hi]E."),
	ROW("a status without a space behind", "HTTP/1.1 200OK\r\n\r\n", "!400"),
	ROW("a later minor version", "HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nhi", "H[hi]E."),
	ROW("status 099", "HTTP/1.1 099 OK\r\n\r\n", "!400"),
	ROW("status 999", "HTTP/1.1 999 Denied\r\nContent-Length: 2\r\n\r\nhi" OK CHUNKED "\r\n0\r\n\r\n", "H[hi]EHE."),
	ROW("no HTTP", "SSH-2.0-OpenSSH_9.2\r\n", "!400"),
	ROW("no HTTP from the first byte on", "2", "!400"),
	ROW("a TLS alert", "\x15\x03\x01\x00\x02\x02\x46", "!400"),
	ROW("obs-fold", OK "X: a\r\n b\r\n\r\n", "!400"),
	ROW("an empty line in front", "\r\n" OK "\r\n", "!400"),
	ROW("a request", GET "\r\n", "!400"),
	ROW("status 20", "HTTP/1.1 20 OK\r\n\r\n", "!400"),
	ROW("status 2000", "HTTP/1.1 2000 OK\r\n\r\n", "!400"),
	ROW("status 600", "HTTP/1.1 600 OK\r\nContent-Length: 2\r\n\r\nhi", "H[hi]E."),
	ROW("HTTP/2", "HTTP/2 200 OK\r\n\r\n", "!400"),
};
/* clang-format on */

static void check(const struct row *rows, size_t n, bool is_request)
{
	static const size_t steps[] = { 1, 2, 3, 7, 1 << 20 };

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(steps); k++) {
			const char *got =
				told(is_request, false, rows[i].text, rows[i].size, steps[k]);

			if (strcmp(got, rows[i].want))
				fail_msg("%s, in steps of %zu: %s and not %s", rows[i].name,
					 steps[k], got, rows[i].want);
		}
}

static void test_requests_are_read_or_refused_however_they_are_cut(void **unused)
{
	(void)unused;
	check(requests, ARRAY_SIZE(requests), true);
}

static void test_responses_are_read_or_refused_however_they_are_cut(void **unused)
{
	(void)unused;
	check(responses, ARRAY_SIZE(responses), false);
}

static void test_the_answer_to_a_head_request_has_no_body(void **unused)
{
	const char text[] = OK "Content-Length: 5\r\n\r\n" OK CHUNKED "\r\n";

	(void)unused;
	assert_string_equal(told(false, true, text, sizeof(text) - 1, 4), "HEHE.");
}

static const struct http_head *head_of(struct http1 *p, const char *text)
{
	const uint8_t *body;
	size_t used, body_size;

	assert_int_equal(
		http1_next(p, (const uint8_t *)text, strlen(text), &used, &body, &body_size),
		HTTP1_HEAD);
	return http1_head(p);
}

static void test_a_head_is_taken_apart(void **unused)
{
	struct http1 *p = http1_new(true);
	const struct http_head *h;

	(void)unused;
	h = head_of(
		p,
		"PUT http://Ex.org:81/a%20b?c HTTP/1.1\r\nHOST: ex.ORG:81\r\nX-A: \t b c \t\r\n"
		"Expect: 100-Continue\r\nX-a:\r\nContent-Length: 7\r\nConnection: close\r\n\r\n");
	assert_true(h->request);
	assert_string_equal(h->method, "PUT");
	assert_string_equal(h->target, "/a%20b?c");
	assert_string_equal(h->host, "ex.org:81");
	assert_string_equal(http_header(h, "host"), "ex.ORG:81");
	assert_string_equal(http_header(h, "x-a"), "b c");
	assert_int_equal(http_header_count(h, "x-a"), 2);
	assert_null(http_header(h, "x-b"));
	assert_int_equal(h->length, 7);
	assert_true(h->expect_continue && !h->keep_alive && !h->upgrade && !h->chunked);
	http1_free(p);
}

static void test_an_odd_answer_is_mended_and_not_more(void **unused)
{
	struct http1 *p = http1_new(false);
	const struct http_head *h;

	(void)unused;
	h = head_of(p, "HTTP/1.1 999 Denied\nX-A : b\x01"
		       "c \nX(y): d\nX-\xc3\xa9: e\n"
		       "Content-Length: 3\nContent-Length: 3\n\n");
	assert_int_equal(h->status, 999);
	assert_string_equal(h->reason, "Denied");
	assert_string_equal(http_header(h, "x-a"), "b c");
	assert_int_equal(h->n_headers, 3);
	assert_int_equal(h->length, 3);
	http1_free(p);
	p = http1_new(false);
	h = head_of(p, "HTTP/1.0 200\n\n");
	assert_string_equal(h->reason, "");
	assert_false(h->keep_alive);
	http1_free(p);
}

static void test_keep_alive_follows_the_version_and_the_connection_header(void **unused)
{
	static const struct {
		const char *text;
		bool request, keep, upgrade;
	} rows[] = {
		{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", true, true, false },
		{ "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", true, false, false },
		{ "GET / HTTP/1.0\r\nHost: a\r\n\r\n", true, false, false },
		{ "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", true, true,
		  false },
		{ "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x, h2c\r\n\r\n",
		  true, true, false },
		{ "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
		  "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAA\r\n\r\n",
		  true, true, false },
		{ "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", true,
		  true, true },
		{ "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n", true, true, false },
		{ "HTTP/1.1 200 OK\r\n\r\n", false, false, false },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", false, true, false },
		{ "HTTP/1.1 304 OK\r\n\r\n", false, true, false },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http1 *p = http1_new(rows[i].request);
		const struct http_head *h = head_of(p, rows[i].text);

		assert_int_equal(h->keep_alive, rows[i].keep);
		assert_int_equal(h->upgrade, rows[i].upgrade);
		http1_free(p);
	}
}

static void test_a_head_over_the_limits_is_refused(void **unused)
{
	autobuf struct buf b = { 0 };

	(void)unused;
	buf_adds(&b, "GET /");
	while (b.size < LIMIT_HTTP_TARGET + 100)
		buf_adds(&b, "aaaaaaaaaaaaaaaa");
	assert_string_equal(told(true, false, buf_str(&b), b.size, 1000), "!414");
	buf_adds(&b, " HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_string_equal(told(true, false, buf_str(&b), b.size, 1 << 20), "!414");

	buf_clear(&b);
	buf_adds(&b, GET);
	for (int i = 0; i < LIMIT_HTTP_HEADERS; i++)
		buf_addf(&b, "X-%d: 1\r\n", i);
	buf_adds(&b, "\r\n");
	assert_string_equal(told(true, false, buf_str(&b), b.size, 1000), "!431");

	buf_clear(&b);
	buf_adds(&b, GET "X: ");
	while (b.size < LIMIT_HTTP_HEAD)
		buf_adds(&b, "aaaaaaaaaaaaaaaa");
	buf_adds(&b, "\r\n\r\n");
	assert_string_equal(told(true, false, buf_str(&b), b.size, 1000), "!431");
	assert_string_equal(told(true, false, buf_str(&b), b.size, 1 << 20), "!431");

	buf_clear(&b);
	buf_adds(&b, POST CHUNKED "\r\n1;");
	while (b.size < 8 * KIB)
		buf_adds(&b, "aaaaaaaaaaaaaaaa");
	assert_string_equal(told(true, false, buf_str(&b), b.size, 1000), "H!400");

	buf_clear(&b);
	buf_adds(&b, POST CHUNKED "\r\n0\r\n");
	while (b.size < 8 * KIB)
		buf_adds(&b, "X: aaaaaaaaaaaaaaa\r\n");
	assert_string_equal(told(true, false, buf_str(&b), b.size, 1000), "H!400");
}

static void test_what_is_written_is_read_again(void **unused)
{
	autobuf struct buf b = { 0 };

	(void)unused;
	http1_put_request(&b, "POST", "/x");
	assert_true(http1_put_header(&b, "host", "a"));
	assert_true(http1_put_header(&b, "transfer-encoding", "chunked"));
	http1_put_end(&b);
	http1_put_chunk(&b, (const uint8_t *)"hello", 5);
	http1_put_chunk(&b, (const uint8_t *)"", 0);
	http1_put_last_chunk(&b);
	assert_string_equal(told(true, false, buf_str(&b), b.size, 3), "H[hello]E.");
	buf_clear(&b);
	http1_put_status(&b, 404);
	http1_put_end(&b);
	assert_string_equal(buf_str(&b), "HTTP/1.1 404 Not Found\r\n\r\n");
}

static void test_a_header_that_would_break_the_message_is_not_written(void **unused)
{
	autobuf struct buf b = { 0 };

	(void)unused;
	assert_false(http1_put_header(&b, "a b", "c"));
	assert_false(http1_put_header(&b, "", "c"));
	assert_false(http1_put_header(&b, "a:", "c"));
	assert_false(http1_put_header(&b, "a", "c\r\nd: e"));
	assert_false(http1_put_header(&b, "a", "c\n"));
	assert_int_equal(b.size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_are_read_or_refused_however_they_are_cut),
		cmocka_unit_test(test_responses_are_read_or_refused_however_they_are_cut),
		cmocka_unit_test(test_the_answer_to_a_head_request_has_no_body),
		cmocka_unit_test(test_a_head_is_taken_apart),
		cmocka_unit_test(test_an_odd_answer_is_mended_and_not_more),
		cmocka_unit_test(test_keep_alive_follows_the_version_and_the_connection_header),
		cmocka_unit_test(test_a_head_over_the_limits_is_refused),
		cmocka_unit_test(test_what_is_written_is_read_again),
		cmocka_unit_test(test_a_header_that_would_break_the_message_is_not_written),
	};

	return cmocka_run_group_tests_name("wire/http1", tests, NULL, NULL);
}
