/* What a request to the metadata's address is answered. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "guest/metadata_request.h"

#define LINE  "POST /doze/lease HTTP/1.1\r\n"
#define PUT   "PUT /latest/api/token HTTP/1.1\r\n"
#define GET   "GET /latest/meta-data/instance-id HTTP/1.1\r\n"
#define TTL   "X-aws-ec2-metadata-token-ttl-seconds"
#define TOKEN "0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *text;
	unsigned status;
	uint64_t seconds;
} requests[] = {
	{ LINE "\r\n", 204, 60 },
	{ LINE "Host: 169.254.169.254\r\nContent-Length: 3\r\n\r\n600", 204, 600 },
	{ LINE "content-LENGTH:3\r\n\r\n600", 204, 600 },
	{ LINE "Content-Length: 3\r\n\r\n60", 0, 0 },
	{ LINE "Content-Length: 1\r\n\r\n600", 204, 6 },
	{ LINE "\r\nContent-Length: 9999\r\n\r\n", 204, 60 },
	{ "POST /doze/lease?x=1 HTTP/1.1\r\n\r\n", 204, 60 },
	{ LINE, 0, 0 },
	{ "POST /doze/le", 0, 0 },
	{ "", 0, 0 },
	{ "GET /doze/lease HTTP/1.1\r\n\r\n", 405, 0 },
	{ "GET /latest/meta-data/ HTTP/1.1\r\n\r\n", 401, 0 },
	{ "GET /latest/user-data HTTP/1.1\r\n\r\n", 401, 0 },
	{ "GET /elsewhere HTTP/1.1\r\n\r\n", 404, 0 },
	{ "GET / HTTP/1.1\r\n\r\n", 404, 0 },
	{ "GET /late/meta-data/ HTTP/1.1\r\n\r\n", 404, 0 },
	{ "GET /2021-03-2x/meta-data/ HTTP/1.1\r\n\r\n", 404, 0 },
	{ "GET /latest/%00 HTTP/1.1\r\n\r\n", 400, 0 },
	{ "GET /latest/%zz HTTP/1.1\r\n\r\n", 400, 0 },
	{ "POST /latest/meta-data/ HTTP/1.1\r\n\r\n", 405, 0 },
	{ "PUT /latest/meta-data/ HTTP/1.1\r\n" TTL ": 60\r\n\r\n", 405, 0 },
	{ "GET /latest/api/token HTTP/1.1\r\n" TTL ": 60\r\n\r\n", 405, 0 },
	{ PUT TTL ": 21600\r\n\r\n", 200, 21600 },
	{ PUT "X-AWS-EC2-Metadata-Token-TTL-Seconds:1 \t\r\n\r\n", 200, 1 },
	{ "PUT /2021-03-23/api/token HTTP/1.1\r\n" TTL ": 60\r\n\r\n", 200, 60 },
	{ "PUT /latest/api/token/ HTTP/1.1\r\n" TTL ": 60\r\nContent-Length: 0\r\n\r\n", 200, 60 },
	{ PUT "\r\n", 400, 0 },
	{ PUT TTL ":\r\n\r\n", 400, 0 },
	{ PUT TTL ": 0\r\n\r\n", 400, 0 },
	{ PUT TTL ": -1\r\n\r\n", 400, 0 },
	{ PUT TTL ": 60s\r\n\r\n", 400, 0 },
	{ PUT TTL ": 99999999999999999999\r\n\r\n", 400, 0 },
	{ PUT TTL ": 60\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n", 403, 0 },
	{ PUT TTL ": 60\r\nx-forwarded-for:\r\n\r\n", 403, 0 },
	{ GET "X-aws-ec2-metadata-token:\r\n\r\n", 401, 0 },
	{ GET "X-aws-ec2-metadata-token: " TOKEN "0\r\n\r\n", 401, 0 },
	{ GET "X-aws-ec2-metadata-token: " TOKEN "\r\nX-Forwarded-For: 1\r\n\r\n", 403, 0 },
	{ "POST /doze/leases HTTP/1.1\r\n\r\n", 404, 0 },
	{ "POST http://169.254.169.254/doze/lease HTTP/1.1\r\n\r\n", 400, 0 },
	{ "nonsense\r\n\r\n", 400, 0 },
	{ LINE "Transfer-Encoding: chunked\r\n\r\n", 411, 0 },
	{ LINE "X-Forwarded-For: 1.2.3.4\r\n\r\n", 403, 0 },
	{ LINE "Content-Length: 65\r\n\r\n", 413, 0 },
	{ LINE "Content-Length: 99999999999999999999\r\n\r\n", 413, 0 },
	{ LINE "Content-Length: -1\r\n\r\n", 413, 0 },
};

static void each_request_has_its_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		struct metadata_request r = { 0 };

		print_message("%s\n", requests[i].text);
		assert_int_equal(metadata_judge(requests[i].text, strlen(requests[i].text), &r),
				 requests[i].status);
		if (requests[i].status == 200 || requests[i].status == 204)
			assert_int_equal(r.seconds, requests[i].seconds);
	}
}

static void a_head_that_is_too_long_or_no_text_is_refused(void **state)
{
	char text[METADATA_BYTES + 1];
	struct metadata_request r = { 0 };

	(void)state;
	memset(text, 'a', METADATA_BYTES);
	text[METADATA_BYTES] = '\0';
	assert_int_equal(metadata_judge(text, METADATA_BYTES, &r), 431);
	text[5] = '\0';
	assert_int_equal(metadata_judge(text, 100, &r), 400);
}

static const char *const paths[][2] = {
	{ "/latest/meta-data/iam/security-credentials/", "meta-data/iam/security-credentials" },
	{ "/latest/meta-data/tags/instance/a%20b", "meta-data/tags/instance/a b" },
	{ "/latest//meta-data///instance-id?x=1", "meta-data/instance-id" },
	{ "/2021-07-15/dynamic/instance-identity/document", "dynamic/instance-identity/document" },
	{ "/latest", "" },
	{ "/latest/../latest", "../latest" },
};

static void a_path_is_read_without_its_version(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		autofree char *text =
			xasprintf("GET %s HTTP/1.1\r\nx-aws-ec2-metadata-token: " TOKEN "\r\n\r\n",
				  paths[i][0]);
		struct metadata_request r = { 0 };

		assert_int_equal(metadata_judge(text, strlen(text), &r), 200);
		assert_int_equal(r.wish, METADATA_READ);
		assert_string_equal(r.path, paths[i][1]);
		assert_string_equal(r.token, TOKEN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_request_has_its_status),
		cmocka_unit_test(a_path_is_read_without_its_version),
		cmocka_unit_test(a_head_that_is_too_long_or_no_text_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
