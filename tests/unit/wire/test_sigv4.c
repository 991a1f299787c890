/* SigV4: what botocore signs is accepted, what was changed afterwards is not, and our own
 * signatures are as good. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "wire/sigv4.h"

struct vector {
	const char *method, *target, *body_sha256;
	bool s3;
	struct http_header headers[8];
};

#include "sigv4_vectors.h"

static void fill(struct http_head *head, const struct vector *v)
{
	memset(head, 0, sizeof(*head));
	head->request = true;
	strcpy(head->method, v->method);
	head->target = v->target;
	while (v->headers[head->n_headers].name) {
		head->headers[head->n_headers] = v->headers[head->n_headers];
		head->n_headers++;
	}
}

static int verify(const struct http_head *head, bool s3, const char *secret, const char *hash,
		  int64_t now_ms, struct err *e)
{
	struct sigv4_claim claim;

	if (sigv4_read(head, &claim, e))
		return -1;
	return sigv4_verify(head, &claim, secret, hash, !s3, now_ms, e);
}

static void test_what_botocore_signs_is_accepted(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		const struct vector *v = &vectors[i];
		struct http_head head;
		struct sigv4_claim claim;
		struct err e = { 0 };

		fill(&head, v);
		if (sigv4_read(&head, &claim, &e) ||
		    sigv4_verify(&head, &claim, VECTORS_SECRET, v->body_sha256, !v->s3,
				 VECTORS_AT_MS, &e))
			fail_msg("%s %s: %s", v->method, v->target, e.text);
		assert_string_equal(claim.access_key, VECTORS_KEY);
		assert_string_equal(claim.region, "us-east-1");
		assert_string_equal(claim.service, v->s3 ? "s3" : "lambda");
		assert_true(claim.at_ms == VECTORS_AT_MS);
	}
}

static void test_a_request_changed_on_the_way_is_denied(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		const struct vector *v = &vectors[i];
		struct http_head head;
		struct err e = { 0 };
		char target[4096];

		fill(&head, v);
		strcpy(head.method, "PATCH");
		assert_int_equal(
			verify(&head, v->s3, VECTORS_SECRET, v->body_sha256, VECTORS_AT_MS, &e),
			-1);
		assert_int_equal(e.kind, ERR_DENIED);
		assert_memory_equal(e.text, "SignatureDoesNotMatch: ", 23);

		fill(&head, v);
		snprintf(target, sizeof(target), "%s%cmaxResults=9", v->target,
			 strchr(v->target, '?') ? '&' : '?');
		head.target = target;
		assert_int_equal(
			verify(&head, v->s3, VECTORS_SECRET, v->body_sha256, VECTORS_AT_MS, &e),
			-1);

		fill(&head, v);
		assert_int_equal(verify(&head, v->s3, "another", v->body_sha256, VECTORS_AT_MS, &e),
				 -1);
		assert_int_equal(verify(&head, v->s3, NULL, v->body_sha256, VECTORS_AT_MS, &e), -1);
		assert_memory_equal(e.text, "InvalidClientTokenId: ", 22);
	}
}

static void test_another_body_is_denied(void **unused)
{
	char hash[65];

	(void)unused;
	sha256_hex("something else", 14, hash);
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct http_head head;
		struct sigv4_claim claim;
		struct err e = { 0 };

		fill(&head, &vectors[i]);
		assert_int_equal(sigv4_read(&head, &claim, &e), 0);
		if (vectors[i].s3 && !strcmp(claim.payload, "UNSIGNED-PAYLOAD"))
			continue;
		assert_int_equal(sigv4_verify(&head, &claim, VECTORS_SECRET, hash, !vectors[i].s3,
					      VECTORS_AT_MS, &e),
				 -1);
	}
}

static void test_the_time_bounds_a_request(void **unused)
{
	static const struct {
		const char *match; /* in a vector's target */
		int64_t off_s;
		int rc;
		const char *code;
	} rows[] = {
		{ "/2025-09-09/microvms", 14 * 60, 0, NULL },
		{ "/2025-09-09/microvms", -14 * 60, 0, NULL },
		{ "/2025-09-09/microvms", 16 * 60, -1, "RequestTimeTooSkewed: " },
		{ "/2025-09-09/microvms", -16 * 60, -1, "RequestTimeTooSkewed: " },
		{ "X-Amz-Expires=3600", 3599, 0, NULL },
		{ "X-Amz-Expires=3600", 3601, -1, "AccessDenied: " },
		{ "X-Amz-Expires=3600", -16 * 60, -1, "RequestTimeTooSkewed: " },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct vector *v = vectors;
		struct http_head head;
		struct err e = { 0 };

		while (!strstr(v->target, rows[i].match))
			v++;
		fill(&head, v);
		assert_int_equal(verify(&head, v->s3, VECTORS_SECRET, v->body_sha256,
					VECTORS_AT_MS + rows[i].off_s * 1000, &e),
				 rows[i].rc);
		if (rows[i].rc)
			assert_memory_equal(e.text, rows[i].code, strlen(rows[i].code));
	}
}

static void test_a_malformed_claim_is_denied_with_a_sentence(void **unused)
{
#define SIG  "0123456789012345678901234567890123456789012345678901234567890123"
#define CRED "Credential=K/20260801/r/s/aws4_request"
	static const struct {
		const char *authorization, *text;
	} rows[] = {
		{ "", "IncompleteSignature: only" },
		{ "Basic eDp5", "IncompleteSignature: only" },
		{ "AWS4-HMAC-SHA256", "IncompleteSignature: Credential" },
		{ "AWS4-HMAC-SHA256 Credential=K/2026/r/s/aws4_request",
		  "IncompleteSignature: Credential" },
		{ "AWS4-HMAC-SHA256 Credential=K/20260801/r/s", "IncompleteSignature: Credential" },
		{ "AWS4-HMAC-SHA256 Credential=K/20260801/r/s/aws3_request",
		  "IncompleteSignature: Credential" },
		{ "AWS4-HMAC-SHA256 " CRED, "IncompleteSignature: SignedHeaders" },
		{ "AWS4-HMAC-SHA256 " CRED ", SignedHeaders=x-amz-date, Signature=" SIG,
		  "IncompleteSignature: 'Host'" },
		{ "AWS4-HMAC-SHA256 " CRED ", SignedHeaders=Host, Signature=" SIG,
		  "IncompleteSignature: SignedHeaders" },
		{ "AWS4-HMAC-SHA256 " CRED ", SignedHeaders=host",
		  "IncompleteSignature: Signature" },
		{ "AWS4-HMAC-SHA256 " CRED ", SignedHeaders=host, Signature=zz",
		  "IncompleteSignature: Signature" },
		{ "AWS4-HMAC-SHA256 " CRED ",SignedHeaders=host,Signature=" SIG,
		  "IncompleteSignature: the request must carry its date" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_head head = { .request = true, .method = "GET", .target = "/" };
		struct sigv4_claim claim;
		struct err e = { 0 };

		head.headers[0] = (struct http_header){ "authorization", rows[i].authorization };
		head.n_headers = 1;
		assert_int_equal(sigv4_read(&head, &claim, &e), -1);
		assert_int_equal(e.kind, ERR_DENIED);
		if (strncmp(e.text, rows[i].text, strlen(rows[i].text)) != 0)
			fail_msg("row %zu: %s", i, e.text);
	}
}

static void test_an_unsigned_request_is_told_apart(void **unused)
{
	struct http_head head = { .request = true, .method = "GET", .target = "/?a=b&" };
	struct sigv4_claim claim;
	struct err e = { 0 };

	(void)unused;
	assert_int_equal(sigv4_read(&head, &claim, &e), -1);
	assert_memory_equal(e.text, "MissingAuthenticationToken: ", 28);
	head.target = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%";
	assert_int_equal(sigv4_read(&head, &claim, &e), -1);
	assert_memory_equal(e.text, "IncompleteSignature: ", 21);
}

static void test_an_amz_header_that_is_not_signed_is_denied(void **unused)
{
	struct http_head head;
	struct sigv4_claim claim;
	struct err e = { 0 };

	(void)unused;
	fill(&head, &vectors[0]);
	head.headers[head.n_headers++] = (struct http_header){ "x-amz-acl", "public-read" };
	assert_int_equal(sigv4_read(&head, &claim, &e), -1);
	assert_non_null(strstr(e.text, "x-amz-acl"));
}

/* The example of the AWS General Reference. */
static void test_the_key_and_the_signature_are_those_of_the_reference(void **unused)
{
	autobuf struct buf text = { 0 };
	uint8_t key[SIGV4_KEY_SIZE];
	char hex[65], date[17];

	(void)unused;
	sigv4_amz_date(1440938160000, date);
	assert_string_equal(date, "20150830T123600Z");
	sigv4_derive("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", date, "us-east-1", "iam", key);
	hex_encode(key, sizeof(key), hex);
	assert_string_equal(hex,
			    "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
	buf_adds(&text, "AWS4-HMAC-SHA256\n20150830T123600Z\n"
			"20150830/us-east-1/iam/aws4_request\n"
			"f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59");
	sigv4_sign_text(key, &text, hex);
	assert_string_equal(hex,
			    "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

static void test_our_own_signature_is_accepted(void **unused)
{
	static const struct sigv4_key key = { VECTORS_KEY, VECTORS_SECRET, "eu-west-9", "lambda" };
	static const char *const targets[] = {
		"/",
		"/2025-09-09/microvm-images/arn%3Aaws%3Alambda%3Ax/versions?maxResults=3&b=%20",
		"/doze/v1/bases?name=a+b",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
		for (int s3 = 0; s3 < 2; s3++) {
			struct http_head head = { .request = true, .method = "PUT" };
			autobuf struct buf authorization = { 0 };
			struct err e = { 0 };
			char date[17], hash[65];

			sha256_hex("body", 4, hash);
			sigv4_sign("PUT", targets[i], "127.0.0.1:9010", hash, &key, !s3,
				   VECTORS_AT_MS, date, &authorization);
			head.target = targets[i];
			head.headers[0] = (struct http_header){ "host", "127.0.0.1:9010" };
			head.headers[1] = (struct http_header){ "x-amz-date", date };
			head.headers[2] = (struct http_header){ "x-amz-content-sha256", hash };
			head.headers[3] =
				(struct http_header){ "authorization", buf_str(&authorization) };
			head.n_headers = 4;
			assert_int_equal(verify(&head, s3, VECTORS_SECRET, hash, VECTORS_AT_MS, &e),
					 0);
			head.headers[0].value = "127.0.0.1:9011";
			assert_int_equal(verify(&head, s3, VECTORS_SECRET, hash, VECTORS_AT_MS, &e),
					 -1);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_botocore_signs_is_accepted),
		cmocka_unit_test(test_a_request_changed_on_the_way_is_denied),
		cmocka_unit_test(test_another_body_is_denied),
		cmocka_unit_test(test_the_time_bounds_a_request),
		cmocka_unit_test(test_a_malformed_claim_is_denied_with_a_sentence),
		cmocka_unit_test(test_an_unsigned_request_is_told_apart),
		cmocka_unit_test(test_an_amz_header_that_is_not_signed_is_denied),
		cmocka_unit_test(test_the_key_and_the_signature_are_those_of_the_reference),
		cmocka_unit_test(test_our_own_signature_is_accepted),
	};

	return cmocka_run_group_tests_name("wire/sigv4", tests, NULL, NULL);
}
