/* SigV2: presigned URLs that botocore made are accepted, and what was changed afterwards is not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wire/sigv2.h"

#define KEY    "AKIDEXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define AT_MS  1800000000000LL /* an hour before these expire */
#define MINE   "AWSAccessKeyId=" KEY

static const struct vector {
	const char *what, *method, *target, *bucket;
	struct http_header headers[5];
} vectors[] = {
	{ .what = "a download",
	  .method = "GET",
	  .target = "/apps/a%20b+c.zip?" MINE
		    "&Signature=hAAccQciZOLFEAsXKTpxDp9j1fI%3D&Expires=1800003600" },
	{ .what = "an upload of a part, its headers sent",
	  .method = "PUT",
	  .target = "/apps/x?partNumber=2&uploadId=abc%2Fd&" MINE
		    "&Signature=%2FRUQc3Zz30idvjGa%2BG91ax%2BYTtw%3D&Expires=1800003600",
	  .headers = { { "content-type", "text/plain" },
		       { "x-amz-meta-b", "two" },
		       { "content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==" },
		       { "x-amz-acl", "private" } } },
	{ .what = "an upload of a part, its headers in the URL",
	  .method = "PUT",
	  .target = "/apps/x?partNumber=2&uploadId=abc%2Fd&" MINE
		    "&Signature=%2FRUQc3Zz30idvjGa%2BG91ax%2BYTtw%3D&content-type=text%2Fplain"
		    "&content-md5=1B2M2Y8AsgTpgAmY7PhCfg%3D%3D&x-amz-meta-b=two&x-amz-acl=private"
		    "&Expires=1800003600" },
	{ .what = "a download under another name",
	  .method = "GET",
	  .target = "/apps/x?response-content-disposition=attachment%3B%20filename%3D%22a.zip%22"
		    "&prefix=zz&" MINE
		    "&Signature=zpe0TDUPthOrWOiBMRZ4muTEozU%3D&Expires=1800003600" },
	{ .what = "a list of uploads",
	  .method = "GET",
	  .target = "/apps/?uploads&max-uploads=5&" MINE
		    "&Signature=LKz%2BSzv%2BuDnYu4uxWTndsRbcZkU%3D&Expires=1800003600" },
	{ .what = "a bucket in the host's name",
	  .method = "GET",
	  .target = "/x?" MINE "&Signature=sYzPhZ2qEPHj2ayqy55B4D5d5UI%3D&Expires=1800003600",
	  .bucket = "apps" },
};

static int verify(const struct vector *v, const char *method, const char *target,
		  const char *secret, int64_t now_ms, struct err *e)
{
	struct http_head head = { .request = true };
	struct sigv2_claim claim;

	strcpy(head.method, method);
	head.target = target;
	for (; v->headers[head.n_headers].name; head.n_headers++)
		head.headers[head.n_headers] = v->headers[head.n_headers];
	assert_true(sigv2_is(target));
	if (sigv2_read(&head, &claim, e))
		return -1;
	return sigv2_verify(&head, &claim, secret, v->bucket ? v->bucket : "", now_ms, e);
}

static void test_what_botocore_presigns_is_accepted(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct err e = { 0 };

		if (verify(&vectors[i], vectors[i].method, vectors[i].target, SECRET, AT_MS, &e))
			fail_msg("%s: %s", vectors[i].what, e.text);
	}
}

static void test_what_was_changed_or_is_too_late_is_refused(void **unused)
{
	static const struct {
		const char *method, *target, *secret, *says;
		int64_t now_ms;
	} rows[] = {
		{ "PUT", NULL, SECRET, "SignatureDoesNotMatch", AT_MS },
		{ "GET", NULL, "other", "SignatureDoesNotMatch", AT_MS },
		{ "GET", NULL, NULL, "InvalidClientTokenId", AT_MS },
		{ "GET", NULL, SECRET, "AccessDenied: Request has expired", AT_MS + 3601000 },
		{ "GET",
		  "/apps/other?" MINE
		  "&Signature=hAAccQciZOLFEAsXKTpxDp9j1fI%3D&Expires=1800003600",
		  SECRET, "SignatureDoesNotMatch", AT_MS },
		{ "GET",
		  "/apps/a%20b+c.zip?" MINE
		  "&Signature=hAAccQciZOLFEAsXKTpxDp9j1fI%3D&Expires=1900000000",
		  SECRET, "SignatureDoesNotMatch", AT_MS },
		{ "GET",
		  "/apps/a%20b+c.zip?acl&" MINE
		  "&Signature=hAAccQciZOLFEAsXKTpxDp9j1fI%3D&Expires=1800003600",
		  SECRET, "SignatureDoesNotMatch", AT_MS },
		/* what would be acted on without being signed */
		{ "GET",
		  "/apps/a%20b+c.zip?" MINE
		  "&Signature=hAAccQciZOLFEAsXKTpxDp9j1fI%3D&Expires=1800003600&%75ploadId=U",
		  SECRET, "AccessDenied: The names", AT_MS },
		{ "GET", "/apps/a?" MINE "&Signature=x", SECRET,
		  "AccessDenied: Query-string authentication requires", AT_MS },
		{ "GET", "/apps/a?" MINE "&Signature=%zz&Expires=1800003600", SECRET,
		  "AccessDenied: The Signature", AT_MS },
		{ "GET", "/apps/a?" MINE "&Signature=x&Expires=soon", SECRET,
		  "AccessDenied: Query-string authentication requires", AT_MS },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = { 0 };
		const char *target = rows[i].target ? rows[i].target : vectors[0].target;

		assert_int_equal(verify(&vectors[0], rows[i].method, target, rows[i].secret,
					rows[i].now_ms, &e),
				 -1);
		assert_int_equal(e.kind, ERR_DENIED);
		if (strncmp(e.text, rows[i].says, strlen(rows[i].says)) != 0)
			fail_msg("row %zu: %s", i, e.text);
	}
}

static void test_a_header_that_does_not_fit_is_not_left_unsigned(void **unused)
{
	char source[700] = "/any/key?";
	struct vector v = vectors[0];
	struct err e = { 0 };

	(void)unused;
	memset(source + strlen(source), 'A', 600);
	v.headers[0] = (struct http_header){ "x-amz-copy-source", source };
	assert_int_equal(verify(&v, v.method, v.target, SECRET, AT_MS, &e), -1);
	assert_non_null(strstr(e.text, "SignatureDoesNotMatch"));
}

static void test_only_a_url_with_key_and_signature_is_of_this_version(void **unused)
{
	(void)unused;
	assert_false(sigv2_is("/apps/a"));
	assert_false(sigv2_is("/apps/a?AWSAccessKeyId=a"));
	assert_false(sigv2_is("/apps/a?Signature=a"));
	assert_false(sigv2_is("/apps/a?X-Amz-Signature=a&X-AWSAccessKeyId=b"));
	assert_true(sigv2_is("/apps/a?Signature=a&AWSAccessKeyId=b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_botocore_presigns_is_accepted),
		cmocka_unit_test(test_what_was_changed_or_is_too_late_is_refused),
		cmocka_unit_test(test_a_header_that_does_not_fit_is_not_left_unsigned),
		cmocka_unit_test(test_only_a_url_with_key_and_signature_is_of_this_version),
	};

	return cmocka_run_group_tests_name("wire/sigv2", tests, NULL, NULL);
}
