/* Buckets belong to accounts, and keys may do what their policies say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"

#define OURS   "111111111111"
#define THEIRS "222222222222"

static struct rig rig;
static char body[4096];

static int set_up(void **unused)
{
	(void)unused;
	rig_open(&rig);
	rig_key(&rig, "ours", OURS, NULL);
	rig_key(&rig, "theirs", THEIRS, NULL);
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	rig_close(&rig);
	return 0;
}

static unsigned as(const char *key, const char *method, const char *target, const char *more,
		   const char *text)
{
	char headers[512];

	snprintf(headers, sizeof(headers), "x-test-key: %s\r\n%s", key, more);
	return rig_ask(&rig, method, target, headers, text ? text : "", body);
}

static void code_is(const char *code)
{
	char element[100];

	snprintf(element, sizeof(element), "<Code>%s</Code>", code);
	if (!strstr(body, element))
		fail_msg("no %s in %s", code, body);
}

static void test_a_bucket_is_there_for_its_account_alone(void **unused)
{
	static const struct {
		const char *method, *target, *headers, *text;
	} asks[] = {
		{ "GET", "/apps", "", NULL },
		{ "HEAD", "/apps", "", NULL },
		{ "GET", "/apps?list-type=2", "", NULL },
		{ "GET", "/apps?uploads", "", NULL },
		{ "GET", "/apps?acl", "", NULL },
		{ "GET", "/apps?location", "", NULL },
		{ "GET", "/apps/a", "", NULL },
		{ "HEAD", "/apps/a", "", NULL },
		{ "GET", "/apps/none", "", NULL },
		{ "PUT", "/apps/a", "", "theirs" },
		{ "PUT", "/apps/b", "", "theirs" },
		{ "DELETE", "/apps/a", "", NULL },
		{ "POST", "/apps/a?uploads", "", NULL },
		{ "PUT", "/mine/a", "x-amz-copy-source: /apps/a\r\n", NULL },
		{ "PUT", "/mine/a", "x-amz-copy-source: /apps/none\r\n", NULL },
		{ "POST", "/apps?delete", "content-md5: 0\r\n",
		  "<Delete><Object><Key>a</Key></Object></Delete>" },
		{ "DELETE", "/apps", "", NULL },
	};

	(void)unused;
	assert_int_equal(as("ours", "PUT", "/apps", "", NULL), 200);
	assert_int_equal(as("ours", "PUT", "/apps/a", "", "bytes"), 200);
	assert_int_equal(as("theirs", "PUT", "/mine", "", NULL), 200);
	for (size_t i = 0; i < ARRAY_SIZE(asks); i++) {
		unsigned status =
			as("theirs", asks[i].method, asks[i].target, asks[i].headers, asks[i].text);

		if (status != 403 && !(status == 400 && strstr(asks[i].target, "delete")))
			fail_msg("%s %s: %u", asks[i].method, asks[i].target, status);
		if (status == 403 && strcmp(asks[i].method, "HEAD") != 0)
			code_is("AccessDenied");
	}
	assert_int_equal(as("ours", "GET", "/apps/a", "", NULL), 200);
	assert_string_equal(body, "bytes");
}

static void test_names_of_buckets_are_shared_and_lists_are_not(void **unused)
{
	(void)unused;
	assert_int_equal(as("ours", "PUT", "/apps", "", NULL), 200);
	assert_int_equal(as("ours", "PUT", "/apps", "", NULL), 409);
	code_is("BucketAlreadyOwnedByYou");
	assert_int_equal(as("theirs", "PUT", "/apps", "", NULL), 409);
	code_is("BucketAlreadyExists");
	assert_int_equal(as("theirs", "PUT", "/mine", "", NULL), 200);
	assert_int_equal(as("theirs", "GET", "/", "", NULL), 200);
	assert_null(strstr(body, "<Name>apps</Name>"));
	assert_non_null(strstr(body, "<Name>mine</Name>"));
	assert_non_null(strstr(body, "<ID>" THEIRS "</ID>"));
}

static void test_a_bucket_keeps_its_account_over_a_restart(void **unused)
{
	(void)unused;
	assert_int_equal(as("ours", "PUT", "/apps", "", NULL), 200);
	rig_restart(&rig);
	assert_int_equal(as("ours", "GET", "/apps", "", NULL), 200);
	assert_int_equal(as("theirs", "GET", "/apps", "", NULL), 403);
	assert_int_equal(rig_ask(&rig, "GET", "/apps", "", "", body), 403);
}

#define READER                                                                                \
	"{\"Version\":\"2012-10-17\",\"Statement\":["                                         \
	"{\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\",\"s3:DeleteObject\"],"            \
	"\"Resource\":\"arn:aws:s3:::apps/${aws:username}/*\"},"                              \
	"{\"Effect\":\"Allow\",\"Action\":\"s3:ListBucket\",\"Resource\":"                    \
	"\"arn:aws:s3:::apps\",\"Condition\":{\"StringLike\":{\"s3:prefix\":\"reader/*\"}}}," \
	"{\"Effect\":\"Deny\",\"Action\":\"s3:*\",\"Resource\":\"arn:aws:s3:::*/secret\"}]}"

static void test_a_key_may_do_what_its_policy_says(void **unused)
{
	(void)unused;
	rig_key(&rig, "reader", OURS, READER);
	assert_int_equal(as("ours", "PUT", "/apps", "", NULL), 200);
	assert_int_equal(as("ours", "PUT", "/apps/reader/a", "", "bytes"), 200);
	assert_int_equal(as("ours", "PUT", "/apps/other/a", "", "bytes"), 200);
	assert_int_equal(as("reader", "GET", "/apps/reader/a", "", NULL), 200);
	assert_int_equal(as("reader", "GET", "/apps/other/a", "", NULL), 403);
	code_is("AccessDenied");
	assert_non_null(strstr(body, "User: arn:aws:iam::" OURS ":user/reader is not authorized to "
				     "perform: s3:GetObject on resource: "));
	assert_non_null(strstr(body, "arn:aws:s3:::apps/other/a"));
	assert_non_null(strstr(body, "because no identity-based policy allows the s3:GetObject "
				     "action"));
	assert_int_equal(as("ours", "PUT", "/apps/reader/secret", "", "bytes"), 200);
	assert_int_equal(as("reader", "GET", "/apps/reader/secret", "", NULL), 403);
	assert_non_null(strstr(body, "with an explicit deny in an identity-based policy"));
	assert_int_equal(as("reader", "PUT", "/apps/reader/b", "", "x"), 403);
	assert_int_equal(as("reader", "GET", "/apps?list-type=2", "", NULL), 403);
	assert_int_equal(as("reader", "GET", "/apps?list-type=2&prefix=reader/", "", NULL), 200);
	assert_int_equal(as("reader", "GET", "/", "", NULL), 403);
	assert_int_equal(as("reader", "PUT", "/more", "", NULL), 403);
	assert_int_equal(as("reader", "DELETE", "/apps", "", NULL), 403);
	assert_int_equal(as("reader", "DELETE", "/apps/reader/a", "", NULL), 204);
	assert_int_equal(as("reader", "DELETE", "/apps/other/a", "", NULL), 403);
	assert_int_equal(as("ours", "GET", "/apps/other/a", "", NULL), 200);
}

static void test_each_key_of_a_deletion_is_judged(void **unused)
{
	static const char asked[] = "<Delete><Object><Key>other/1</Key></Object>"
				    "<Object><Key>mine/1</Key></Object>"
				    "<Object><Key>other/2</Key></Object>"
				    "<Object><Key>mine/2</Key></Object></Delete>";
	static const char policy[] = "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:*\","
				     "\"Resource\":\"arn:aws:s3:::apps/mine/*\"}}";
	static const char *const keys[] = { "/apps/mine/1", "/apps/mine/2", "/apps/other/1",
					    "/apps/other/2" };

	(void)unused;
	rig_key(&rig, "some", OURS, policy);
	assert_int_equal(as("ours", "PUT", "/apps", "", NULL), 200);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_int_equal(as("ours", "PUT", keys[i], "", "x"), 200);
	assert_int_equal(as("some", "POST", "/apps?delete", "", asked), 200);
	assert_non_null(strstr(body, "<Deleted><Key>mine/1</Key></Deleted>"));
	assert_non_null(strstr(body, "<Deleted><Key>mine/2</Key></Deleted>"));
	assert_non_null(strstr(body, "<Error><Key>other/1</Key><Code>AccessDenied</Code>"));
	assert_non_null(strstr(body, "<Error><Key>other/2</Key><Code>AccessDenied</Code>"));
	assert_non_null(strstr(strstr(body, "<Key>other/2</Key>"), "arn:aws:s3:::apps/other/2"));
	assert_int_equal(as("ours", "GET", keys[0], "", NULL), 404);
	assert_int_equal(as("ours", "GET", keys[1], "", NULL), 404);
	assert_int_equal(as("ours", "GET", keys[2], "", NULL), 200);
	assert_int_equal(as("ours", "GET", keys[3], "", NULL), 200);
}

static void test_a_copy_needs_its_source_too(void **unused)
{
	static const char policy[] = "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":"
				     "\"s3:PutObject\",\"Resource\":\"*\"}}";

	(void)unused;
	rig_key(&rig, "putter", OURS, policy);
	assert_int_equal(as("ours", "PUT", "/apps", "", NULL), 200);
	assert_int_equal(as("putter", "PUT", "/apps/a", "", "x"), 200);
	assert_int_equal(as("putter", "PUT", "/apps/b", "x-amz-copy-source: /apps/a\r\n", NULL),
			 403);
	assert_non_null(strstr(body, "s3:GetObject"));
	assert_int_equal(as("ours", "PUT", "/apps/b", "x-amz-copy-source: /apps/a\r\n", NULL), 200);
}

static void test_a_key_that_is_not_known_yet_is_asked_to_come_again(void **unused)
{
	(void)unused;
	assert_int_equal(as("nobody", "GET", "/", "", NULL), 403);
	code_is("InvalidAccessKeyId");
	rig.s3.access.known = false;
	assert_int_equal(as("nobody", "GET", "/", "", NULL), 503);
	code_is("ServiceUnavailable");
	assert_int_equal(as("ours", "GET", "/", "", NULL), 200);
	rig.s3.access.known = true;
	keys_find(&rig.s3.access.keys, "ours")->expires_ms = 1;
	assert_int_equal(as("ours", "GET", "/", "", NULL), 400);
	code_is("ExpiredToken");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_a_bucket_is_there_for_its_account_alone),
		T(test_names_of_buckets_are_shared_and_lists_are_not),
		T(test_a_bucket_keeps_its_account_over_a_restart),
		T(test_a_key_may_do_what_its_policy_says),
		T(test_each_key_of_a_deletion_is_judged),
		T(test_a_copy_needs_its_source_too),
		T(test_a_key_that_is_not_known_yet_is_asked_to_come_again),
	};

	return cmocka_run_group_tests_name("objects/accounts", tests, NULL, NULL);
}
