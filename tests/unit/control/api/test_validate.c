/* Requests against the table: what is wrong is said at once and in the service's words; what is
 * right comes out as the table has it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/api/validate.h"

#define IMAGE "/2025-09-09/microvm-images"
#define ARN   "arn:aws:lambda:us-east-1:000000000000:microvm-image:hello"
#define ROLE  "arn:aws:iam::000000000000:role/build"
#define CREATE                                                           \
	"\"name\":\"n\",\"baseImageArn\":\"b\",\"buildRoleArn\":\"" ROLE \
	"\",\"codeArtifact\":{\"uri\":\"s3://b/k\"}"
#define FAILED "' failed to satisfy constraint: "

static enum decoded decode(const char *method, const char *target, const char *body, json_t **in,
			   struct buf *why)
{
	size_t path = strcspn(target, "?");
	struct op_segments s;
	const struct op *op = op_find(method, target, path, &s);
	enum decoded rc;

	assert_non_null(op);
	buf_clear(why);
	rc = op_decode(&(struct op_request){ op, &s, target[path] ? target + path + 1 : NULL, body,
					     strlen(body) },
		       in, why);
	op_segments_free(&s);
	return rc;
}

static void test_all_that_is_wrong_is_in_one_message(void **unused)
{
	static const struct {
		const char *method, *target, *body, *why;
	} rows[] = {
		{ "POST", IMAGE, "{\"name\":\"n\"}",
		  "3 validation errors detected: Value null at 'baseImageArn" FAILED
		  "Member must not be null; Value null at 'codeArtifact" FAILED
		  "Member must not be null; Value null at 'buildRoleArn" FAILED
		  "Member must not be null" },
		{ "POST", IMAGE,
		  "{\"name\":\"bad name!\",\"baseImageArn\":\"b\",\"buildRoleArn\":\"" ROLE
		  "\",\"codeArtifact\":{\"uri\":\"s3://b/k\"}}",
		  "1 validation error detected: Value 'bad name!' at 'name" FAILED
		  "Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+" },
		{ "POST", IMAGE, "{" CREATE ",\"egressNetworkConnectors\":[\"a\",\"b\"]}",
		  "1 validation error detected: Value '[a, b]' at 'egressNetworkConnectors" FAILED
		  "Member must have length less than or equal to 1" },
		{ "POST", IMAGE, "{" CREATE ",\"cpuConfigurations\":[{\"architecture\":\"MIPS\"}]}",
		  "1 validation error detected: Value 'MIPS' at "
		  "'cpuConfigurations.1.member.architecture" FAILED
		  "Member must satisfy enum value set: [ARM_64, X86_64]" },
		{ "POST", IMAGE, "{" CREATE ",\"additionalOsCapabilities\":[\"SOME\"]}",
		  "1 validation error detected: Value '[SOME]' at 'additionalOsCapabilities" FAILED
		  "Member must satisfy constraint: [Member must satisfy enum value set: [ALL]]" },
		{ "POST", IMAGE,
		  "{" CREATE ",\"hooks\":{\"port\":0,\"microvmHooks\":{\"run\":\"ON\","
		  "\"runTimeoutInSeconds\":61}}}",
		  "3 validation errors detected: Value '0' at 'hooks.port" FAILED
		  "Member must have value greater than or equal to 1; Value 'ON' at "
		  "'hooks.microvmHooks.run" FAILED
		  "Member must satisfy enum value set: [DISABLED, ENABLED]; Value '61' at "
		  "'hooks.microvmHooks.runTimeoutInSeconds" FAILED
		  "Member must have value less than or equal to 60" },
		{ "POST", IMAGE, "{" CREATE ",\"environmentVariables\":{\"A B\":\"secret\"}}",
		  "1 validation error detected: Value at 'environmentVariables" FAILED
		  "Map keys must satisfy constraint: [Member must have length less than or equal "
		  "to "
		  "256, Member must have length greater than or equal to 1, Member must satisfy "
		  "regular expression pattern: [^\\s]+]" },
		{ "POST", IMAGE, "{" CREATE ",\"codeArtifact\":{}}",
		  "1 validation error detected: Value '{}' at 'codeArtifact" FAILED
		  "Member must have exactly one member set" },
		{ "POST", "/2025-09-09/microvms",
		  "{\"imageIdentifier\":\"\",\"idlePolicy\":{\"maxIdleDurationSeconds\":59}}",
		  "4 validation errors detected: Value '' at 'imageIdentifier" FAILED
		  "Member must have length greater than or equal to 1; Value '59' at "
		  "'idlePolicy.maxIdleDurationSeconds" FAILED
		  "Member must have value greater than or equal to 60; Value null at "
		  "'idlePolicy.suspendedDurationSeconds" FAILED
		  "Member must not be null; Value null at 'idlePolicy.autoResumeEnabled" FAILED
		  "Member must not be null" },
		{ "POST", "/2025-09-09/microvms/m/auth-token",
		  "{\"expirationInMinutes\":0,\"allowedPorts\":[{\"port\":8080},{\"range\":{"
		  "\"startPort\":0}}]}",
		  "3 validation errors detected: Value '0' at 'expirationInMinutes" FAILED
		  "Member must have value greater than or equal to 1; Value '0' at "
		  "'allowedPorts.2.member.range.startPort" FAILED
		  "Member must have value greater than or equal to 1; Value null at "
		  "'allowedPorts.2.member.range.endPort" FAILED "Member must not be null" },
		{ "GET", IMAGE "?maxResults=51", "",
		  "1 validation error detected: Value '51' at 'maxResults" FAILED
		  "Member must have value less than or equal to 50" },
		{ "GET", "/2017-03-31/tags/hello", "",
		  "1 validation error detected: Value 'hello' at 'Resource" FAILED
		  "Member must satisfy regular expression pattern: arn:" },
	};
	autobuf struct buf why = { 0 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *in = NULL;

		assert_int_equal(decode(rows[i].method, rows[i].target, rows[i].body, &in, &why),
				 DECODED_INVALID);
		if (strncmp(buf_str(&why), rows[i].why, strlen(rows[i].why)) != 0)
			fail_msg("row %zu:\n%s\n%s", i, buf_str(&why), rows[i].why);
	}
}

static void test_other_types_are_unreadable(void **unused)
{
	static const struct {
		const char *method, *target, *body, *why;
	} rows[] = {
		{ "POST", "/2025-09-09/microvms/m/auth-token",
		  "{\"expirationInMinutes\":5,\"allowedPorts\":[{\"allPorts\":true}]}",
		  "Expected null" },
		{ "POST", "/2025-09-09/microvms", "{\"imageIdentifier\":5}",
		  "NUMBER_VALUE can not be converted to a String" },
		{ "POST", "/2025-09-09/microvms",
		  "{\"imageIdentifier\":\"a\",\"maximumDurationInSeconds\":\"5\"}",
		  "STRING_VALUE can not be converted to an Integer" },
		{ "POST", "/2025-09-09/microvms", "{", "Could not parse request body into json" },
		{ "POST", "/2025-09-09/microvms", "[]", "Expected null" },
		{ "POST", IMAGE, "{" CREATE ",\"environmentVariables\":{\"A\":1}}",
		  "Expected a string" },
		{ "POST", IMAGE, "{" CREATE ",\"resources\":{}}", "Expected list or null" },
		{ "GET", IMAGE "?maxResults=x", "",
		  "STRING_VALUE can not be converted to an Integer" },
	};
	autobuf struct buf why = { 0 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *in = NULL;

		assert_int_equal(decode(rows[i].method, rows[i].target, rows[i].body, &in, &why),
				 DECODED_UNREADABLE);
		assert_string_equal(buf_str(&why), rows[i].why);
	}
}

static void test_what_is_right_comes_out_without_the_unknown(void **unused)
{
	static const struct {
		const char *method, *target, *body, *in;
	} rows[] = {
		{ "POST", "/2025-09-09/microvms",
		  "{\"imageIdentifier\":\"" ARN "\",\"imageVersion\":null,\"later\":1,"
		  "\"maximumDurationInSeconds\":60.0}",
		  "{\"imageIdentifier\":\"" ARN "\",\"maximumDurationInSeconds\":60}" },
		{ "GET", IMAGE "?maxResults=3&nameFilter=a%20b+c&x=y&nextToken=YQ%3D%3D", "",
		  NULL }, /* a blank is refused by the pattern: below */
		{ "GET", IMAGE "/arn%3Aaws:x/versions/1.0/", "ignored",
		  "{\"imageIdentifier\":\"arn:aws:x\",\"imageVersion\":\"1.0\"}" },
		{ "DELETE",
		  "/2017-03-31/tags/arn:aws:lambda:us-east-1:000000000000:microvm-image:hello"
		  "?tagKeys=a&tagKeys=b+c",
		  "", "{\"Resource\":\"" ARN "\",\"tagKeys\":[\"a\",\"b c\"]}" },
		{ "POST", IMAGE, "{" CREATE ",\"tags\":{\"\xc3\xa9\":\"\"}}",
		  "{\"baseImageArn\":\"b\",\"buildRoleArn\":\"" ROLE
		  "\",\"codeArtifact\":{\"uri\":\"s3://b/k\"},\"name\":\"n\",\"tags\":"
		  "{\"\xc3\xa9\":\"\"}}" },
	};
	autobuf struct buf why = { 0 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *in = NULL;
		enum decoded rc = decode(rows[i].method, rows[i].target, rows[i].body, &in, &why);
		char *text;

		if (!rows[i].in) {
			assert_int_equal(rc, DECODED_INVALID);
			continue;
		}
		if (rc != DECODED)
			fail_msg("row %zu: %s", i, buf_str(&why));
		text = json_dumps(in, JSON_COMPACT | JSON_SORT_KEYS);
		assert_string_equal(text, rows[i].in);
		free(text);
		json_decref(in);
	}
}

static void test_lengths_count_as_the_service_counts(void **unused)
{
	static const struct {
		size_t n;
		const char *unit;
		enum decoded rc;
	} rows[] = {
		{ 4096, "a", DECODED },
		{ 4097, "a", DECODED_INVALID },
		{ 4096, "\xc3\xa9", DECODED },
		{ 2048, "\xf0\x9f\x98\x80", DECODED },
		{ 2049, "\xf0\x9f\x98\x80", DECODED_INVALID },
	};
	autobuf struct buf why = { 0 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autobuf struct buf body = { 0 };
		json_t *in = NULL;

		buf_adds(&body, "{\"imageIdentifier\":\"a\",\"runHookPayload\":\"");
		for (size_t j = 0; j < rows[i].n; j++)
			buf_adds(&body, rows[i].unit);
		buf_adds(&body, "\"}");
		assert_int_equal(decode("POST", "/2025-09-09/microvms", buf_str(&body), &in, &why),
				 rows[i].rc);
		json_decref(in);
		if (rows[i].rc == DECODED_INVALID)
			assert_null(strstr(buf_str(&why),
					   rows[i].unit[0] == 'a' ? "aaaa" : rows[i].unit));
	}
}

static void test_only_whole_paths_find_an_operation(void **unused)
{
	static const struct {
		const char *method, *path, *name;
	} rows[] = {
		{ "GET", "/2025-09-09/microvms", "ListMicrovms" },
		{ "POST", "/2025-09-09/microvms/", "RunMicrovm" },
		{ "GET", "/2025-09-09/microvms/m/", "GetMicrovm" },
		{ "GET", "/2025-09-09/microvms/", NULL }, /* of a microVM without an id */
		{ "GET", IMAGE "/", NULL },
		{ "POST", "/2025-09-09/microvms", "RunMicrovm" },
		{ "GET", "/2025-09-09/microvms/m", "GetMicrovm" },
		{ "POST", "/2025-09-09/microvms/m/suspend", "SuspendMicrovm" },
		{ "GET", IMAGE "/a/versions/1/builds/b", "GetMicrovmImageBuild" },
		{ "PATCH", IMAGE "/a/versions/1", "UpdateMicrovmImageVersion" },
		{ "GET", "/2025-09-09/managed-microvm-images/a/versions",
		  "ListManagedMicrovmImageVersions" },
		{ "PUT", "/2025-09-09/microvms", NULL },
		{ "GET", "/2025-09-09", NULL },
		{ "GET", "/2025-09-09//microvms", NULL },
		{ "GET", "/2025-09-09/microvms/m/n", NULL },
		{ "GET", "/2025-09-09/microvms/%", NULL },
		{ "GET", "/2025-09-09/microvms/%zz", NULL },
		{ "GET", "/2025-09-09/microvms/a%00", NULL },
		{ "GET", "", NULL },
		{ "GET", "*", NULL },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct op_segments s;
		const struct op *op =
			op_find(rows[i].method, rows[i].path, strlen(rows[i].path), &s);

		if (!rows[i].name)
			assert_null(op);
		else
			assert_string_equal(op ? op->name : "none", rows[i].name);
		op_segments_free(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_that_is_wrong_is_in_one_message),
		cmocka_unit_test(test_other_types_are_unreadable),
		cmocka_unit_test(test_what_is_right_comes_out_without_the_unknown),
		cmocka_unit_test(test_lengths_count_as_the_service_counts),
		cmocka_unit_test(test_only_whole_paths_find_an_operation),
	};

	return cmocka_run_group_tests_name("control/api/validate", tests, NULL, NULL);
}
